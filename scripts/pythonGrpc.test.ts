import { expect, test } from "vitest";
import { repositoryRoot, runProgram } from "../test/support/program.ts";
import { pythonWithGrpc } from "../test/support/python.ts";

test("the Python that is found or fetched serves gRPC with the stubs of the example", async () => {
  const served = await runProgram({
    name: "python",
    command: pythonWithGrpc(),
    args: ["-c", "import grpc, payment.v1.payment_pb2_grpc as it; print(it.PaymentServiceServicer.__name__)"],
    cwd: `${repositoryRoot}/examples/order/payment`,
  });

  expect(served).toMatchObject({ code: 0, stdout: "PaymentServiceServicer" });
});

test("a Python named by SIDESTEP_PYTHON that has no grpcio is refused with what to do", async () => {
  const refused = await runProgram({
    name: "pythonGrpc.mjs",
    command: process.execPath,
    args: ["scripts/pythonGrpc.mjs"],
    env: { SIDESTEP_PYTHON: "/nowhere/python3" },
  });

  expect(refused.code).toBe(1);
  expect(refused.lines.join("\n")).toMatch(
    /SIDESTEP_PYTHON names \/nowhere\/python3, which can't be used: [^]*What to do: /,
  );
});
