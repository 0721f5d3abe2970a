import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repositoryRoot, runProgram } from "../../test/support/program.ts";
import type { FakeOrchestrator } from "./testing/fakeOrchestrator.ts";
import { calls, sayBytes, startEcho, startGround, startSidecar } from "./testing/programs.ts";

let ground: Awaited<ReturnType<typeof startGround>>;
let orchestrator: FakeOrchestrator;
let folder: string;
let number = 0;

beforeAll(async () => {
  ground = await startGround();
  ({ orchestrator } = ground);
  await orchestrator.deploy("echo.v1.Echo");
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-sidecar-"));
});

afterAll(async () => {
  await ground?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function runsOne(text: string): Promise<void> {
  const task = await orchestrator.publish({ number: (number += 1), request: sayBytes({ text }) });
  const outcome = await orchestrator.outcome(task);
  expect(outcome.kind?.$case).toBe("completed");
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "the task's acknowledgement");
}

test.each(["v1", "v1alpha"])(
  "services are found by reflection %s, although the server rebuilds its descriptors wrongly",
  async (version) => {
    await using echo = await startEcho("--reflection", version);
    await using sidecar = await startSidecar(ground.nats, "--service", echo.address);
    await runsOne(`by ${version}`);
    expect(sidecar.lines.find((line) => line.includes("services found"))).toMatch(
      /"services":\["echo.v1.Echo","echo.v1.Raw"\]/,
    );
  },
);

test("without reflection a name is enough", async () => {
  await using echo = await startEcho();
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--expose", "echo.v1.Echo");
  await runsOne("by name");
  expect(sidecar.isRunning()).toBe(true);
});

test("without reflection and names the sidecar says what to do", async () => {
  await using echo = await startEcho();
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address);
  expect(await sidecar.waitForLine(/no reflection/)).toMatch(
    /name its services with --expose or give --descriptor-set/,
  );
});

test("only exposed services are offered when some are named", async () => {
  await using echo = await startEcho("--reflection", "v1");
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--expose", "echo.v1.Echo");
  await runsOne("one of two");
  expect(sidecar.lines.find((line) => line.includes("services found"))).toMatch(/"services":\["echo.v1.Echo"\]/);
});

test("a descriptor set says what is offered, streaming methods included", async () => {
  const image = path.join(folder, "echo.binpb");
  execFileSync(path.join(repositoryRoot, "node_modules/.bin/buf"), [
    "build",
    path.join(repositoryRoot, "sidecar/testdata/echo/proto"),
    "-o",
    image,
  ]);
  await using echo = await startEcho();
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--descriptor-set", image);
  await runsOne("by descriptors");
  const entry = (await orchestrator.catalog()).find(
    (one) => one.services[0] === "echo.v1.Echo" && one.target === echo.address,
  );
  expect(entry?.methods).toEqual(["echo.v1.Echo/Say", "echo.v1.Echo/Follow"]);
  expect(sidecar.isRunning()).toBe(true);
});

test("one sidecar serves several services, each at its address, over TCP and a unix socket", async () => {
  const socket = `unix:${path.join(folder, "echo.sock")}`;
  await orchestrator.deploy("echo.v1.Raw");
  await using said = await startEcho();
  await using raw = await startEcho("--address", socket);
  expect(raw.isRunning()).toBe(true);
  await using sidecar = await startSidecar(
    ground.nats,
    "--service",
    said.address,
    "--service",
    socket,
    "--expose",
    `echo.v1.Echo@${said.address}`,
    "--expose",
    `echo.v1.Raw@${socket}`,
  );
  await runsOne("over TCP");
  const task = await orchestrator.publish({
    number: (number += 1),
    method: "echo.v1.Raw/Echo",
    request: new Uint8Array([1]),
  });
  const outcome = await orchestrator.outcome(task);
  expect(outcome.kind?.$case).toBe("completed");
  expect(outcome.peer).toContain("echo.sock");
  await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "the task's acknowledgement");
  expect(sidecar.isRunning()).toBe(true);
});

test("a service behind TLS is checked against its authority", async () => {
  const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const made = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    key,
    "-out",
    cert,
    "-days",
    "2",
  ];
  execFileSync("openssl", [...made, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], {
    stdio: "ignore",
  });
  await using echo = await startEcho("--reflection", "v1", "--cert", cert, "--key", key);
  await using sidecar = await startSidecar(ground.nats, "--service", echo.address, "--tls-ca", cert);
  await runsOne("behind TLS");
  expect(sidecar.isRunning()).toBe(true);
});

test.each(["watch", "check", "server"])(
  "a service that is not serving gets no tasks until it is (health: %s)",
  async (health) => {
    await using echo = await startEcho("--reflection", "v1", "--health", health, "--not-serving");
    await using sidecar = await startSidecar(ground.nats, "--service", echo.address);
    await sidecar.waitForLine(/not serving/);
    const task = await orchestrator.publish({
      number: (number += 1),
      request: sayBytes({ text: `unhealthy ${health}` }),
    });
    // Nothing asks for tasks: the consumer knows of no waiting pull and has nothing in hands.
    expect(await orchestrator.pullsWaiting("echo.v1.Echo")).toBe(0);
    expect(await orchestrator.inHands("echo.v1.Echo")).toBe(0);
    echo.signal("SIGUSR2");
    expect((await orchestrator.outcome(task)).kind?.$case).toBe("completed");
    // And back again.
    echo.signal("SIGUSR2");
    await sidecar.waitForLine(/not serving/, { from: sidecar.lines.length });
    expect((await orchestrator.outcome(task)).delivery).toBe(1);
    await orchestrator.until(async () => (await orchestrator.tasksLeft()) === 0, "the task's acknowledgement");
  },
);

test("started before the service and before the first deploy, it works within 5 s after both, without noise", async () => {
  await using other = await startGround();
  const echo = await startEcho("--reflection", "v1");
  const { address } = echo;
  await echo.kill9();
  await using sidecar = await startSidecar(other.nats, "--service", address);
  await using back = await startEcho("--reflection", "v1", "--address", address.replace("localhost", "127.0.0.1"));
  await sidecar.waitForLine(/waiting for the first workflow/);
  await other.orchestrator.deploy("echo.v1.Echo");
  const deployedAtMs = Date.now();
  const task = await other.orchestrator.publish({ number: 1, request: sayBytes({ text: "late" }) });
  expect((await other.orchestrator.outcome(task)).kind?.$case).toBe("completed");
  expect(Date.now() - deployedAtMs).toBeLessThan(5_000);
  expect(sidecar.lines.filter((line) => line.includes("waiting for the first workflow"))).toHaveLength(2);
  expect(back.isRunning()).toBe(true);
});

test("a service that comes back with other services is looked at again", async () => {
  const first = await startEcho("--reflection", "v1");
  await using sidecar = await startSidecar(
    ground.nats,
    "--service",
    first.address,
    "--expose",
    "echo.v1.Echo,echo.v1.Raw",
  );
  await sidecar.waitForLine(/services found/);
  await first.kill9();
  await sidecar.waitForLine(/the service is away/);
  const from = sidecar.lines.length;
  await using second = await startEcho(
    "--reflection",
    "v1",
    "--only",
    "echo.v1.Echo",
    "--address",
    first.address.replace("localhost", "127.0.0.1"),
  );
  await sidecar.waitForLine(/"services":\["echo.v1.Echo"\]/, { from });
  await runsOne("of the second");
  expect(calls(second, "end")).toHaveLength(1);
});

test("wrong settings are told all at once with exit code 2", async () => {
  const { code, lines } = await runProgram({
    name: "sidecar",
    command: process.execPath,
    args: ["sidecar/src/main.ts", "--service", "localhost", "--concurrency", "0", "--expose", "a/b", "--colour"],
    env: { SIDESTEP_DRAIN_TIMEOUT: "soon" },
  });
  expect(code).toBe(2);
  expect(lines).toEqual([
    "--colour is not known; --help lists the flags",
    '--service is "localhost"; expected host:port or unix:path, such as localhost:50051',
    '--expose is "a/b"; expected a service\'s full name such as shop.v1.Orders, with or without @address',
    '--concurrency is "0"; expected a whole number from 1 to 10000',
    'SIDESTEP_DRAIN_TIMEOUT is "soon"; expected a duration such as 250ms, 30s, 5m or 7d',
    "sidestep sidecar --help shows all settings.",
  ]);
});
