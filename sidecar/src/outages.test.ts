import { afterEach, beforeEach, expect, test } from "vitest";
import { AskReply_Verdict, Failure_Origin } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { startProgram } from "../../test/support/program.ts";
import type { FakeOrchestrator } from "./testing/fakeOrchestrator.ts";
import { calls, sayBytes, startEcho, startGround, startSidecar } from "./testing/programs.ts";

let ground: Awaited<ReturnType<typeof startGround>>;
let orchestrator: FakeOrchestrator;
let echo: Awaited<ReturnType<typeof startEcho>>;

beforeEach(async () => {
  ground = await startGround();
  ({ orchestrator } = ground);
  echo = await startEcho();
});

afterEach(async () => {
  await echo?.kill9();
  await ground?.[Symbol.asyncDispose]();
});

const expose = ["--expose", "echo.v1.Echo"];

function say(number: number, text: string, rest: Parameters<typeof sayBytes>[0] = {}) {
  return orchestrator.publish({ number, request: sayBytes({ text, ...rest }) });
}

function failure(outcome: Outcome) {
  return outcome.kind?.$case === "failed" ? outcome.kind.value : undefined;
}

async function queueEmpty(): Promise<void> {
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "an empty queue");
}

/** A sidecar is told that nothing waits for it; half a second after it has connected, at the earliest. */
function heartbeat(): Promise<void> {
  return new Promise((resolve) => {
    orchestrator.connection.subscribe("_INBOX.>", {
      callback: (_, message) => {
        if (message.headers?.description === "Idle Heartbeat") resolve();
      },
    });
  });
}

test("a service killed during a call is UNAVAILABLE after sending", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const task = await say(1, "cut", { delayMs: -1 });
  await echo.waitForLine(/^begin/);
  await echo.kill9();
  const outcome = await orchestrator.outcome(task);
  expect(failure(outcome)).toMatchObject({ code: 14, origin: Failure_Origin.TRANSPORT });
  expect(outcome.sent).toBe(true);
  await sidecar.waitForLine(/the service is away/);
});

test("tasks that meet a service that is away cost no attempt and run when it is back", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const first = await say(1, "before");
  await orchestrator.outcome(first);
  // What is stored from here on is not as old as the connection.
  await heartbeat();
  await echo.kill9();
  const tasks = await Promise.all(Array.from({ length: 20 }, (_, index) => say(index + 2, `away ${index}`)));
  await sidecar.waitForLine(/the service is away/);
  await using back = await startEcho("--address", echo.address.replace("localhost", "127.0.0.1"));
  for (const task of tasks) {
    const { kind, delivery, recheck } = await orchestrator.outcome(task);
    expect(kind?.$case).toBe("completed");
    // Nobody else has had it, so no earlier delivery can have begun its call.
    expect([delivery, recheck]).toEqual([1, false]);
  }
  expect(orchestrator.asks.some(({ delivery }) => delivery > 1)).toBe(true);
  await queueEmpty();
  expect(orchestrator.outcomes).toHaveLength(21);
  expect(calls(back, "begin")).toHaveLength(20);
});

test("a consumer deleted underneath is pulled from again when it is back", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  await orchestrator.outcome(await say(1, "first"));
  await orchestrator.undeploy("echo.v1.Echo");
  await sidecar.waitForLine(/waiting for the first workflow/);
  const task = await say(2, "second");
  await orchestrator.deploy("echo.v1.Echo");
  expect((await orchestrator.outcome(task)).kind?.$case).toBe("completed");
});

test("an outcome that NATS can't take now is stored when it is back, and the call is not made again", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const task = await say(1, "long", { delayMs: 1_000 });
  await echo.waitForLine(/^begin/);
  await ground.nats.kill9();
  await echo.waitForLine(/^end/);
  await ground.nats.restart();
  await sidecar.waitForLine(/connected to NATS again/);
  expect((await orchestrator.outcome(task)).kind?.$case).toBe("completed");
  await queueEmpty();
  expect(calls(echo, "begin")).toHaveLength(1);
  // And it works on by itself.
  expect((await orchestrator.outcome(await say(2, "after"))).kind?.$case).toBe("completed");
});

test("what was stored before the connection to a restarted server is asked about, whatever its delivery count says", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  await orchestrator.outcome(await say(1, "first"));
  await queueEmpty();
  await orchestrator.sweep("echo.v1.Echo");
  const before = orchestrator.asks.length;
  await echo.kill9();
  await sidecar.waitForLine(/the service is away/);
  orchestrator.verdict = () => AskReply_Verdict.CLOSED;
  await say(2, "second");
  await ground.nats.kill9();
  await ground.nats.restart();
  await sidecar.waitForLine(/connected to NATS again/);
  await using back = await startEcho("--address", echo.address.replace("localhost", "127.0.0.1"));
  await queueEmpty();
  expect(orchestrator.asks.slice(before)).toMatchObject([{ running: false, claimed: false }]);
  expect(calls(back, "begin")).toEqual([]);
});

test("a clock that runs ahead makes every task look old: each is asked about and runs, and it is told", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  const ahead = ["--import", `data:text/javascript,const now = Date.now; Date.now = () => now() + 3_600_000;`];
  await using sidecar = await startProgram({
    name: "sidecar",
    command: process.execPath,
    args: [...ahead, "sidecar/src/main.ts", "--admin-port", "0", "--service", echo.address, ...expose],
    env: { NATS_URL: ground.nats.url },
    readyLine: /sidecar ready/,
  });
  await orchestrator.outcome(await say(1, "first"));
  expect(orchestrator.asks).toHaveLength(1);
  await heartbeat();
  let isTold = false;
  const told = sidecar.waitForLine(/clock differs/).then(() => (isTold = true));
  for (let number = 2; !isTold; number += 1) {
    expect((await orchestrator.outcome(await say(number, `${number}`))).kind?.$case).toBe("completed");
    expect(orchestrator.asks).toHaveLength(number);
  }
  await told;
});

test("a server that stands still for a while is pulled from again", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  await orchestrator.outcome(await say(1, "first"));
  ground.nats.pause();
  await sidecar.waitForLine(/a pull fell silent/);
  ground.nats.resume();
  expect((await orchestrator.outcome(await say(2, "second"))).kind?.$case).toBe("completed");
});

test("a task whose sidecar died is asked about by the next one, and dropped when it is closed", async () => {
  await orchestrator.deploy("echo.v1.Echo", 1_000);
  const first = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const task = await say(1, "orphan", { delayMs: -1 });
  await echo.waitForLine(/^begin/);
  await first.kill9();
  const verdicts = [undefined, AskReply_Verdict.NOT_NOW, AskReply_Verdict.CLOSED];
  const before = orchestrator.asks.length;
  orchestrator.verdict = () => verdicts[Math.min(orchestrator.asks.length - before, 3) - 1];
  await using second = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  await queueEmpty();
  expect(
    orchestrator.asks
      .slice(before)
      .map((ask) => ask.delivery > 1 && !ask.running && Buffer.compare(ask.token, task.token) === 0),
  ).toEqual([true, true, true]);
  expect(orchestrator.of(task)).toEqual([]);
  expect(calls(echo, "begin")).toHaveLength(1);
  expect(second.isRunning()).toBe(true);
});

test("a step that must not be repeated is claimed, then runs; after its sidecar's death it is in doubt and does not run again", async () => {
  await orchestrator.deploy("echo.v1.Echo", 1_000);
  const first = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const task = await orchestrator.publish({ number: 1, request: sayBytes({ text: "once", delayMs: -1 }), claim: true });
  await echo.waitForLine(/^begin/);
  expect(orchestrator.of(task).map((one) => one.kind?.$case)).toEqual(["started"]);
  expect(orchestrator.asks.at(-1)).toMatchObject({ claimed: true, running: false });
  await first.kill9();
  orchestrator.verdict = () => AskReply_Verdict.DOUBT;
  await using second = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  expect((await orchestrator.outcome(task)).kind?.$case).toBe("inDoubt");
  await queueEmpty();
  expect(calls(echo, "begin")).toHaveLength(1);
  expect(second.isRunning()).toBe(true);
});

test("a control message resets the call, and how it ended is told", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  const task = await say(1, "cancel me", { delayMs: -1 });
  await echo.waitForLine(/^begin/);
  orchestrator.reset(task);
  expect(failure(await orchestrator.outcome(task))).toMatchObject({ code: 1, origin: Failure_Origin.TRANSPORT });
  await echo.waitForLine(/^cancelled/);
  expect(sidecar.isRunning()).toBe(true);
});

test("a cancel reaches a call although its control message was lost", async () => {
  await orchestrator.deploy("echo.v1.Echo");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, ...expose);
  orchestrator.verdict = (ask) => (ask.running ? AskReply_Verdict.CLOSED : AskReply_Verdict.OPEN);
  const task = await say(1, "cancel me", { delayMs: -1 });
  expect(failure(await orchestrator.outcome(task))?.code).toBe(1);
  expect(orchestrator.asks.at(-1)).toMatchObject({ running: true });
  await echo.waitForLine(/^cancelled/);
  expect(sidecar.isRunning()).toBe(true);
});
