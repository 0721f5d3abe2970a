import { ensurePython } from "../../scripts/pythonGrpc.mjs";

/** The path of a Python 3 with grpcio, found or fetched as `npm test` does. */
export function pythonWithGrpc(): string {
  return ensurePython();
}
