import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Failure_Origin } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { repositoryRoot, startProgram } from "../../test/support/program.ts";
import type { Program } from "../../test/support/program.ts";
import { pythonWithGrpc } from "../../test/support/python.ts";
import type { FakeOrchestrator } from "./testing/fakeOrchestrator.ts";
import { startGround, startSidecar } from "./testing/programs.ts";

let ground: Awaited<ReturnType<typeof startGround>>;
let orchestrator: FakeOrchestrator;
let service: Program;
let sidecar: Program;
let number = 0;

beforeAll(async () => {
  ground = await startGround();
  ({ orchestrator } = ground);
  await orchestrator.deploy("echo.v1.Raw");
  service = await startProgram({
    name: "echo.py",
    command: pythonWithGrpc(),
    args: [path.join(repositoryRoot, "sidecar/testdata/echo/server.py")],
    readyLine: /^listening/,
  });
  const port = service.lines[0]?.split(" ")[1];
  sidecar = await startSidecar(ground.nats, "--service", `127.0.0.1:${port}`, "--expose", "echo.v1.Raw");
});

afterAll(async () => {
  await sidecar?.kill9();
  await service?.kill9();
  await ground?.[Symbol.asyncDispose]();
});

async function outcomeOf(text: string, method = "echo.v1.Raw/Echo", timeoutMs = 20_000): Promise<Outcome> {
  const request = new TextEncoder().encode(text);
  return orchestrator.outcome(await orchestrator.publish({ number: (number += 1), method, request, timeoutMs }));
}

function failure(outcome: Outcome) {
  return outcome.kind?.$case === "failed" ? outcome.kind.value : undefined;
}

test("bytes go through a service of another language unchanged", async () => {
  const outcome = await outcomeOf("plain \u0000 bytes");
  expect(outcome.kind?.$case === "completed" && new TextDecoder().decode(outcome.kind.value)).toBe(
    "plain \u0000 bytes",
  );
});

test.each(Array.from({ length: 16 }, (_, index) => index + 1))(
  "status %d of a service on gRPC's C core is the service's",
  async (code) => {
    const outcome = await outcomeOf(`status ${code}`);
    expect(failure(outcome)).toMatchObject({ code, message: `status ${code}`, origin: Failure_Origin.SERVICE });
    expect(Array.from(failure(outcome)?.details ?? [])).toEqual([8, 5]);
    expect(outcome.sent).toBe(true);
  },
);

test("an exception is UNKNOWN of the service, a method that is not there UNIMPLEMENTED", async () => {
  expect(failure(await outcomeOf("raise"))).toMatchObject({ code: 2, origin: Failure_Origin.SERVICE });
  expect(failure(await outcomeOf("x", "echo.v1.Raw/Nothing"))).toMatchObject({
    code: 12,
    origin: Failure_Origin.SERVICE,
  });
});

test("a deadline that passes reaches the service", async () => {
  const outcome = await outcomeOf("wait for the deadline", undefined, 300);
  expect([failure(outcome)?.code, outcome.sent]).toEqual([4, true]);
  await service.waitForLine(/^cancelled wait for the deadline/);
});

test("a service killed during a call is UNAVAILABLE after sending", async () => {
  const ending = outcomeOf("wait for ever");
  await service.waitForLine(/^begin wait for ever/);
  await service.kill9();
  const outcome = await ending;
  expect(failure(outcome)).toMatchObject({ code: 14, origin: Failure_Origin.TRANSPORT });
  expect(outcome.sent).toBe(true);
});
