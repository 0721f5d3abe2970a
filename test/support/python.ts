import { ensurePython } from "../../scripts/pythonGrpc.mjs";

/** The path of a Python 3 with grpcio; stubs of the example's payment service lie in examples/order/gen/python. */
export function pythonWithGrpc(): string {
  return ensurePython();
}
