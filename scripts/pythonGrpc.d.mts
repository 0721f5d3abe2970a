/** The path of a Python 3 with grpcio and beside which stubs can be made. Throws an Error that says what to do. */
export function ensurePython(options?: { readonly say?: (line: string) => void }): string;
/** Writes `<name>_pb2.py` and `<name>_pb2_grpc.py` of `files` (relative to `protoRoot`) below `out`. */
export function makePythonStubs(request: {
  readonly python: string;
  readonly protoRoot: string;
  readonly files: readonly string[];
  readonly out: string;
}): void;
