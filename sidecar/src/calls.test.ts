import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RetryInfo, RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Failure_Origin, Outcome, Task } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { repositoryRoot } from "../../test/support/program.ts";
import type { Program } from "../../test/support/program.ts";
import type { FakeOrchestrator } from "./testing/fakeOrchestrator.ts";
import { calls, heard, sayBytes, startEcho, startGround, startSidecar } from "./testing/programs.ts";

let ground: Awaited<ReturnType<typeof startGround>>;
let orchestrator: FakeOrchestrator;
let echo: Awaited<ReturnType<typeof startEcho>>;
let sidecar: Program;
let secrets: string;
let number = 0;

beforeAll(async () => {
  ground = await startGround();
  secrets = await mkdtemp(path.join(os.tmpdir(), "sidestep-secrets-"));
  ({ orchestrator } = ground);
  echo = await startEcho("--reflection", "v1");
  await orchestrator.deploy("echo.v1.Echo");
  await orchestrator.deploy("echo.v1.Raw");
  sidecar = await startSidecar(ground.nats, "--service", echo.address, "--name", "echo-sidecar", "--secrets", secrets);
});

afterAll(async () => {
  await sidecar?.kill9();
  await echo?.kill9();
  await ground?.[Symbol.asyncDispose]();
  await rm(secrets, { recursive: true, force: true });
});

function failure(outcome: Outcome) {
  return outcome.kind?.$case === "failed" ? outcome.kind.value : undefined;
}

test("a request's bytes reach the service as they are, and so does its answer", async () => {
  // Not a valid message in any way: nobody on the way may look.
  const request = new Uint8Array([0, 1, 2, 255, 254, 0, ...randomBytes(100_000)]);
  const task = await orchestrator.publish({ number: (number += 1), method: "echo.v1.Raw/Echo", request });
  const outcome = await orchestrator.outcome(task);
  expect(outcome.kind?.$case === "completed" && Buffer.compare(outcome.kind.value, request)).toBe(0);
});

test("a call carries the task's headers and its deadline, and the outcome says when, where and by whom", async () => {
  const headers = {
    "idempotency-key": "a-b-c",
    "sidestep-run-id": "00",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "photo-bin": new Uint8Array([0, 255]),
  };
  const before = Date.now();
  const task = await orchestrator.publish({
    number: (number += 1),
    request: sayBytes({ text: "with headers" }),
    headers,
    timeoutMs: 7_000,
  });
  const outcome = await orchestrator.outcome(task);
  const call = calls(echo, "begin").find((one) => one.text === "with headers");
  expect(call?.metadata).toMatchObject({
    "idempotency-key": ["a-b-c"],
    "sidestep-run-id": ["00"],
    traceparent: [headers.traceparent],
    "photo-bin": [{ type: "Buffer", data: [0, 255] }],
  });
  expect(call?.deadlineMs).toBeGreaterThan(6_000);
  expect(call?.deadlineMs).toBeLessThanOrEqual(7_000);
  expect(outcome).toMatchObject({
    attempt: task.attempt,
    delivery: 1,
    sent: true,
    sidecar: { name: "echo-sidecar" },
  });
  expect(outcome.peer).toMatch(/^(127\.0\.0\.1|\[::1\]):\d+$/);
  expect(outcome.startedAtMs).toBeGreaterThanOrEqual(before);
  expect(outcome.endedAtMs).toBeGreaterThanOrEqual(outcome.startedAtMs);
  expect(outcome.kind?.$case === "completed" && heard(outcome.kind.value)).toMatchObject({ text: "with headers" });
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "the task's acknowledgement");
});

const codes = Array.from({ length: 16 }, (_, index) => index + 1);
test.each(
  codes.flatMap((code) => [
    { code, headersFirst: false },
    { code, headersFirst: true },
  ]),
)("status $code of the service is the service's (headers first: $headersFirst)", async ({ code, headersFirst }) => {
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ code, headersFirst }) });
  const outcome = await orchestrator.outcome(task);
  expect(outcome.sent).toBe(true);
  expect(failure(outcome)).toMatchObject({ code, message: `status ${code}`, origin: Failure_Origin.SERVICE });
  expect(failure(outcome)?.retryAfterMs).toBeUndefined();
});

test("details travel unchanged, and a RetryInfo in them is told apart", async () => {
  const retry = RetryInfo.encode({ retryDelay: { seconds: 2n, nanos: 500_000_000 } }).finish();
  const details = RpcStatus.encode({
    code: 8,
    message: "slowly",
    details: [{ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: retry }],
  }).finish();
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ code: 8, details }) });
  const failed = failure(await orchestrator.outcome(task));
  expect(failed?.retryAfterMs).toBe(2_500);
  expect(Buffer.compare(failed?.details ?? new Uint8Array(), details)).toBe(0);
});

test.each([
  ["150", 150],
  ["-1", -1],
  ["soon", -1],
])("a pushback of %s is %d ms", async (pushback, expected) => {
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ code: 14, pushback }) });
  expect(failure(await orchestrator.outcome(task))?.retryAfterMs).toBe(expected);
});

test.each([false, true])(
  "a deadline that passes is DEADLINE_EXCEEDED after sending, and the service hears of it (headers first: %s)",
  async (headersFirst) => {
    // Whether the service's library or ours is the first to say so is a race.
    const text = `too late ${headersFirst}`;
    const task = await orchestrator.publish({
      number: (number += 1),
      request: sayBytes({ text, delayMs: -1, headersFirst }),
      timeoutMs: 200,
    });
    const outcome = await orchestrator.outcome(task);
    expect(failure(outcome)?.code).toBe(4);
    expect(outcome.sent).toBe(true);
    await echo.waitForLine(new RegExp(`^cancelled .*${text}`));
  },
);

test("an answer larger than the server stores is RESOURCE_EXHAUSTED after sending, and the task is done", async () => {
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ answerBytes: 2_000_000 }) });
  const outcome = await orchestrator.outcome(task);
  expect(failure(outcome)).toMatchObject({ code: 8, origin: Failure_Origin.TRANSPORT });
  expect(failure(outcome)?.message).toMatch(/can't be stored/);
  expect(outcome.sent).toBe(true);
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "the task's acknowledgement");
});

test("an answer larger than 16 MiB is RESOURCE_EXHAUSTED raised by the transport", async () => {
  const task = await orchestrator.publish({
    number: (number += 1),
    request: sayBytes({ answerBytes: 17 * 1024 * 1024 }),
  });
  const outcome = await orchestrator.outcome(task);
  expect(failure(outcome)).toMatchObject({ code: 8, origin: Failure_Origin.TRANSPORT });
  expect(outcome.sent).toBe(true);
});

test("a method that the service does not have is answered by the service", async () => {
  const task = await orchestrator.publish({ number: (number += 1), method: "echo.v1.Echo/Shout" });
  expect(failure(await orchestrator.outcome(task))).toMatchObject({ code: 12, origin: Failure_Origin.SERVICE });
});

test("a server-streaming method is collected into one list", async () => {
  const task = await orchestrator.publish({
    number: (number += 1),
    method: "echo.v1.Echo/Follow",
    request: sayBytes({ text: "abc" }),
    serverStreaming: true,
    messagesMax: 3,
    bytesMax: 100,
  });
  const outcome = await orchestrator.outcome(task);
  const list = Buffer.from([0x0a, 3, 0x0a, 1, 97, 0x0a, 3, 0x0a, 1, 98, 0x0a, 3, 0x0a, 1, 99]);
  expect(outcome.kind?.$case === "completed" && Buffer.from(outcome.kind.value)).toEqual(list);
});

test("more messages than the call takes are RESOURCE_EXHAUSTED raised by the transport", async () => {
  const task = await orchestrator.publish({
    number: (number += 1),
    method: "echo.v1.Echo/Follow",
    request: sayBytes({ text: "abcd" }),
    serverStreaming: true,
    messagesMax: 3,
    bytesMax: 100,
  });
  expect(failure(await orchestrator.outcome(task))).toMatchObject({ code: 8, origin: Failure_Origin.TRANSPORT });
});

test("a secret's value is read by the sidecar for each call, and its name is all that the task knows", async () => {
  const headers = { authorization: { secret: "api-token" } };
  await writeFile(path.join(secrets, "api-token"), "Bearer one\n");
  const first = await orchestrator.publish({
    number: (number += 1),
    request: sayBytes({ text: "secret one" }),
    headers,
  });
  await orchestrator.outcome(first);
  await writeFile(path.join(secrets, "api-token"), "Bearer two");
  const second = await orchestrator.publish({
    number: (number += 1),
    request: sayBytes({ text: "secret two" }),
    headers,
  });
  const outcome = await orchestrator.outcome(second);
  const authorization = (text: string): unknown =>
    calls(echo, "begin").find((one) => one.text === text)?.metadata["authorization"];
  expect(authorization("secret one")).toEqual(["Bearer one"]);
  expect(authorization("secret two")).toEqual(["Bearer two"]);
  expect(JSON.stringify(Outcome.toJSON(outcome))).not.toContain("Bearer");
});

test("a secret that the sidecar lacks sends nothing, and is worth trying again", async () => {
  for (const secret of ["not-there", "../api-token", "."]) {
    const task = await orchestrator.publish({ number: (number += 1), headers: { authorization: { secret } } });
    const outcome = await orchestrator.outcome(task);
    expect(failure(outcome)).toMatchObject({ code: 14, origin: Failure_Origin.SIDECAR });
    expect(outcome.sent).toBe(false);
  }
});

test("a streaming method that a unary call names is refused by the sidecar and nothing is sent", async () => {
  const task = await orchestrator.publish({ number: (number += 1), method: "echo.v1.Echo/Follow" });
  const outcome = await orchestrator.outcome(task);
  expect(failure(outcome)).toMatchObject({ code: 12, origin: Failure_Origin.SIDECAR });
  expect(outcome.sent).toBe(false);
});

test("a task for another service that landed in the queue is refused by the sidecar", async () => {
  const task = await orchestrator.publish({ number: (number += 1), method: "echo.v1.Echo/Say" });
  await orchestrator.outcome(task);
  const stray = {
    ...task,
    method: "grpc.health.v1.Health/Check",
    token: new Uint8Array([9, 9]),
    attempt: { step: "stray", generation: 0, phase: 0 as const, attempt: 1 },
  };
  await orchestrator.publishBytes("echo.v1.Echo/Say", Task.encode(stray).finish());
  // Its outcome goes where outcomes of that service go.
  const outcome = await orchestrator.outcome(stray);
  expect(failure(outcome)).toMatchObject({
    code: 12,
    origin: Failure_Origin.SIDECAR,
    message: "grpc.health.v1.Health is not exposed by this sidecar",
  });
});

test("garbage among the tasks is set aside and counted, and the next task runs", async () => {
  const from = sidecar.lines.length;
  await orchestrator.publishBytes("echo.v1.Echo/Say", randomBytes(50));
  await orchestrator.publishBytes("echo.v1.Echo/Say", new Uint8Array());
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ text: "after garbage" }) });
  expect((await orchestrator.outcome(task)).kind?.$case).toBe("completed");
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "an empty queue");
  expect(sidecar.lines.slice(from).filter((line) => line.includes("set aside"))).toHaveLength(2);
});

test("the catalog says what is offered, and metrics what was done; readyz is fine", async () => {
  await orchestrator.until(async () => (await orchestrator.catalog()).length === 2, "two catalog entries");
  const entry = (await orchestrator.catalog()).find((one) => one.services[0] === "echo.v1.Echo");
  expect(entry).toMatchObject({
    serving: true,
    target: echo.address,
    methods: ["echo.v1.Echo/Say", "echo.v1.Echo/Follow"],
  });
  const port = /"port":(\d+)/.exec(sidecar.lines.find((line) => line.includes("admin server listens")) ?? "")?.[1];
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toMatch(/sidestep_sidecar_tasks_total\{rpc_method="echo.v1.Raw\/Echo",outcome="OK".*\} 1/);
  expect(text).toMatch(/sidestep_sidecar_set_aside_total.* 2/);
  expect(text).toMatch(/sidestep_sidecar_connected(\{.*\})? 1/);
  const page = readFileSync(path.join(repositoryRoot, "docs/metrics.md"), "utf8");
  const documented = [...page.matchAll(/^\| `(sidestep_sidecar_\w+)`/gm)].map(([, name = ""]) => name);
  expect(documented.length).toBeGreaterThan(5);
  // No method has been held back, and no call has passed.
  const always = documented.filter((name) => !/_(broken|breaks_total|passed_seconds)$/.test(name));
  for (const name of always) expect(text).toContain(`# TYPE ${name} `);
  const shown = [...text.matchAll(/^# TYPE (sidestep_\w+) /gm)].map(([, name]) => name);
  expect(documented).toEqual(expect.arrayContaining(shown));
  for (const probe of ["livez", "readyz"]) expect((await fetch(`http://127.0.0.1:${port}/${probe}`)).status).toBe(200);
});

test("a SIGTERM with nothing in hands ends at once with code 0 and takes the catalog entry back", async () => {
  expect(await sidecar.stop()).toEqual({ code: 0, signal: undefined });
  expect(await orchestrator.catalog()).toEqual([]);
});
