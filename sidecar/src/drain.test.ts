import { afterEach, beforeEach, expect, test } from "vitest";
import { MeshCall, MeshReply } from "../../proto/gen/sidestep/internal/v1/relay.ts";
import { names } from "./testing/fakeOrchestrator.ts";
import type { FakeOrchestrator } from "./testing/fakeOrchestrator.ts";
import { calls, sayBytes, startEcho, startGround, startSidecar } from "./testing/programs.ts";

let ground: Awaited<ReturnType<typeof startGround>>;
let orchestrator: FakeOrchestrator;
let echo: Awaited<ReturnType<typeof startEcho>>;

beforeEach(async () => {
  ground = await startGround();
  ({ orchestrator } = ground);
  echo = await startEcho();
  await orchestrator.deploy("echo.v1.Echo");
});

afterEach(async () => {
  await echo?.kill9();
  await ground?.[Symbol.asyncDispose]();
});

test("rolling restarts under load lose nothing and do nothing twice", async () => {
  const tasks = 400;
  const start = () =>
    startSidecar(ground.nats, "--service", echo.address, "--expose", "echo.v1.Echo", "--concurrency", "8");
  let sidecar = await start();
  const published = Array.from({ length: tasks }, (_, index) =>
    orchestrator.publish({ number: index + 1, request: sayBytes({ text: `${index}`, delayMs: 40 }) }),
  );
  await Promise.all(published);
  for (const share of [0.2, 0.4, 0.6]) {
    await orchestrator.until(() => orchestrator.outcomes.length >= tasks * share, `${share} of the outcomes`);
    const next = await start();
    expect(await sidecar.stop()).toEqual({ code: 0, signal: undefined });
    sidecar = next;
  }
  await orchestrator.until(
    async () => orchestrator.outcomes.length >= tasks && (await orchestrator.tasksLeft()) === 0,
    "all outcomes",
  );
  expect(new Set(orchestrator.runs).size).toBe(tasks);
  expect(orchestrator.outcomes).toHaveLength(tasks);
  expect(calls(echo, "begin")).toHaveLength(tasks);
  await sidecar.kill9();
});

test("a sidecar asks for no more tasks than it has free slots", async () => {
  await using sidecar = await startSidecar(
    ground.nats,
    "--service",
    echo.address,
    "--expose",
    "echo.v1.Echo",
    "--concurrency",
    "3",
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      orchestrator.publish({ number: index + 1, request: sayBytes({ text: `${index}`, delayMs: -1 }) }),
    ),
  );
  await orchestrator.until(() => calls(echo, "begin").length === 3, "three calls");
  expect(await orchestrator.inHands("echo.v1.Echo")).toBe(3);
  expect(await orchestrator.pullsWaiting("echo.v1.Echo")).toBe(0);
  expect(sidecar.isRunning()).toBe(true);
});

test("a sidecar that stops finishes the calls that others have under way there", async () => {
  const args = ["--service", echo.address, "--expose", "echo.v1.Echo", "--mesh-allow", "echo.v1.Echo=*"];
  await using sidecar = await startSidecar(ground.nats, ...args);
  await orchestrator.outcome(await orchestrator.publish({ number: 1, request: sayBytes({ text: "first" }) }));
  const request = sayBytes({ text: "of another", delayMs: 1_000 });
  const call = MeshCall.fromPartial({ method: "echo.v1.Echo/Say", request, timeoutMs: 10_000 });
  const subject = names.meshSubject("echo.v1.Echo", "shop.v1.Orders");
  const answer = orchestrator.connection.request(subject, MeshCall.encode(call).finish(), { timeout: 10_000 });
  await echo.waitForLine(/^begin.*of another/);
  expect(await sidecar.stop()).toEqual({ code: 0, signal: undefined });
  expect(MeshReply.decode((await answer).data).kind?.$case).toBe("completed");
});

test("a drain is bounded: what does not end in time is left behind, and that is an exit code of 1", async () => {
  const args = ["--service", echo.address, "--expose", "echo.v1.Echo", "--drain-timeout", "300ms"];
  await using sidecar = await startSidecar(ground.nats, ...args);
  await orchestrator.publish({ number: 1, request: sayBytes({ delayMs: -1 }) });
  await echo.waitForLine(/^begin/);
  expect(await sidecar.stop()).toEqual({ code: 1, signal: undefined });
  expect(sidecar.lines.some((line) => line.includes("left behind"))).toBe(true);
  expect(await orchestrator.tasksLeft()).toBe(1);
});

test("a second SIGTERM ends it at once", async () => {
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--expose", "echo.v1.Echo");
  await orchestrator.publish({ number: 1, request: sayBytes({ delayMs: -1 }) });
  await echo.waitForLine(/^begin/);
  sidecar.signal("SIGTERM");
  await sidecar.waitForLine(/shutting down/);
  sidecar.signal("SIGTERM");
  expect(await sidecar.ended).toEqual({ code: 1, signal: undefined });
});

test("a sidecar that is asked to finishes what it has and takes nothing new, says so, and goes on when it is asked again", async () => {
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--expose", "echo.v1.Echo");
  const first = await orchestrator.publish({ number: 1, request: sayBytes({ delayMs: 300 }) });
  await echo.waitForLine(/^begin/);
  const [entry] = await orchestrator.catalog();
  const sidecarId = entry?.sidecar?.id ?? "";
  orchestrator.drain("echo.v1.Echo", { sidecarId: "another", lifted: false, reason: "", actor: "" });
  orchestrator.drain("echo.v1.Echo", { sidecarId, lifted: false, reason: "a new node", actor: "ann" });
  const said = async () => (await orchestrator.catalog())[0];
  await orchestrator.until(async () => (await said())?.draining?.reason === "a new node", "the sidecar to drain");
  expect(await said()).toMatchObject({ serving: false, inFlight: 1, draining: { actor: "ann" } });
  const second = await orchestrator.publish({ number: 2, request: sayBytes({}) });
  await orchestrator.outcome(first);
  await orchestrator.until(async () => (await said())?.inFlight === 0, "the sidecar to have finished");
  expect(calls(echo, "begin")).toHaveLength(1);
  expect(sidecar.isRunning()).toBe(true);
  orchestrator.drain("echo.v1.Echo", { sidecarId, lifted: true, reason: "", actor: "" });
  await orchestrator.outcome(second);
  await orchestrator.until(async () => (await said())?.serving === true, "the sidecar to serve");
  expect((await said())?.draining).toBeUndefined();
});
