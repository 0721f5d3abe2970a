import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import net from "node:net";
import path from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runHere } from "../../cli/src/testing.ts";
import { ErrorInfo, RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { ensureNatsServer } from "../../bin/natsServer.mjs";
import { connectTo } from "../support/connectTo.ts";
import { freePort } from "../support/freePort.ts";
import { startNats } from "../support/nats.ts";
import { makeOrder, openOrderClient } from "../support/orderClient.ts";
import type { OrderClient } from "../support/orderClient.ts";
import { orchestratorReady, startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { repositoryRoot, runProgram, startNode, startProgram } from "../support/program.ts";

const fulfil = "shop.v1.OrderWorkflow/Fulfil";
let stack: OrderStack;
let client: OrderClient;
let raw: Client;
let address = "";

beforeAll(async () => {
  stack = await startOrderStack({ orchestrators: 2 });
  address = stack.orchestrators[0]?.address ?? "";
  client = openOrderClient(address);
  raw = new Client(address, credentials.createInsecure());
});
afterAll(async () => {
  raw.close();
  await client[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** Sends bytes as they are. */
function send(
  request: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  timeoutMs = 20_000,
): Promise<{ readonly error: ServiceError | null; readonly runId: string }> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const same = (bytes: Buffer): Buffer => bytes;
  let runId = "";
  return new Promise((resolve) => {
    const call = raw.makeUnaryRequest(
      `/${fulfil}`,
      same,
      same,
      Buffer.from(request),
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error) => resolve({ error, runId }),
    );
    call.on("metadata", (got) => (runId = String(got.get("sidestep-run-id")[0] ?? "")));
  });
}

function reasonOf(error: ServiceError | null): {
  readonly reason: string;
  readonly step: string | undefined;
  readonly types: readonly string[];
} {
  const trailer = error?.metadata.get("grpc-status-details-bin")[0];
  const { details } = RpcStatus.decode(trailer as Buffer);
  const found = details.find(({ typeUrl }) => typeUrl.endsWith("google.rpc.ErrorInfo"));
  const { reason, metadata } = ErrorInfo.decode(found?.value ?? new Uint8Array());
  return {
    reason,
    step: metadata["step"],
    types: details.map(({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf("/") + 1)),
  };
}

/** Messages ever stored in the logs of all partitions. */
async function stored(): Promise<number> {
  await using connection = await connectTo(stack.nats.url);
  const manager = await jetstreamManager(connection.connection);
  const names = toNames();
  const all = await Promise.all([0, 1, 2, 3].map((partition) => manager.streams.info(names.logStream(partition))));
  const keys = await manager.streams.info(`KV_${names.keysBucket}`);
  return all.reduce((sum, { state }) => sum + state.last_seq, keys.state.last_seq);
}

test("buf curl, which knows nothing but what reflection says, lists the services and runs an order", async () => {
  const curl = async (...args: readonly string[]): Promise<string> => {
    const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
    return (await promisify(execFile)(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args])).stdout;
  };
  expect((await curl("--list-services", `http://${address}`)).split("\n")).toContain("shop.v1.OrderWorkflow");
  const answer: unknown = JSON.parse(
    await curl("-d", JSON.stringify(makeOrder("curl-1")), `http://${address}/${fulfil}`),
  );
  expect(answer).toMatchObject({ tracking: expect.stringContaining("curl-1"), chargeId: expect.any(String) });
});

test("an orchestrator serves what was deployed at another one", async () => {
  await using other = openOrderClient(stack.orchestrators[1]?.address ?? "");
  expect(await other.fulfil(makeOrder("other-1"), 20_000)).toMatchObject({ kind: "ok" });
});

test("a declined order is answered, once it is undone, with the status and details of the service that declined", async () => {
  const answer = await client.fulfil(makeOrder("declined-1", 5_000), 20_000);
  const error = answer.kind === "error" ? answer.error : null;
  expect(error?.code).toBe(status.FAILED_PRECONDITION);
  expect(error?.details).toContain("declined");
  expect(reasonOf(error)).toEqual({
    reason: "COMPENSATED",
    step: "charge",
    types: ["payment.v1.Decline", "google.rpc.ErrorInfo"],
  });
  expect((await client.get(answer.runId)).run).toMatchObject({ state: Run_State.COMPENSATED });
});

test("a charge in doubt is asked for: one that was made is not made again, one that was not is made once", async () => {
  const { payment } = stack.services;
  await payment.restart({ CHARGE_TROUBLES: "lost,away" });
  // The journal's own words: what was done, what was asked, in its order.
  const journals = { lost: ["Charge effect", "FindCharge asked"], away: ["FindCharge asked", "Charge effect"] };
  for (const [trouble, journal] of Object.entries(journals)) {
    const orderId = `doubt-${trouble}`;
    const answer = await client.fulfil(makeOrder(orderId), 60_000);
    const told = payment.journal().filter((it) => it.order === orderId);
    expect(told.map(({ method, outcome }) => `${method} ${outcome}`)).toEqual(journal);
    const charge = told.find(({ outcome }) => outcome === "effect")?.answer?.["chargeId"];
    expect(answer).toMatchObject({ kind: "ok", response: { charge_id: charge } });
  }
});

test("the same key and request join the run, another request with the key is refused with the run's id", async () => {
  const first = await client.fulfil(makeOrder("twice-1"), 20_000);
  const second = await client.fulfil(makeOrder("twice-1"), 20_000);
  expect(second).toEqual(first);
  const other = await client.fulfil({ ...makeOrder("twice-1"), address: "elsewhere" }, 20_000);
  const error = other.kind === "error" ? other.error : null;
  expect([error?.code, reasonOf(error).reason]).toEqual([status.ALREADY_EXISTS, "KEY_HELD"]);
});

test("what can't be decoded, has no key or is too large is refused before anything is written", async () => {
  const before = await stored();
  const garbage = await send(Uint8Array.of(0x0a, 0xff, 0xff));
  expect([garbage.error?.code, reasonOf(garbage.error).reason, garbage.runId]).toEqual([
    status.INVALID_ARGUMENT,
    "INVALID_REQUEST",
    "",
  ]);
  expect((await send(new Uint8Array())).error?.code).toBe(status.INVALID_ARGUMENT);
  const large = await send(new Uint8Array(4 * 1024 * 1024 + 1));
  expect([large.error?.code, reasonOf(large.error).reason]).toEqual([status.RESOURCE_EXHAUSTED, "TOO_LARGE"]);
  const huge = await send(new Uint8Array(33 * 1024 * 1024));
  expect(huge.error?.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(await stored()).toBe(before);
});

test("a sampled traceparent of the caller becomes the run's trace", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const { runId } = await send(encodeOrder("traced-1"), { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  expect((await client.get(runId)).run?.traceId).toBe(traceId);
  const unsampled = await send(encodeOrder("traced-2"), { traceparent: `00-${traceId}-00f067aa0ba902b7-00` });
  expect((await client.get(unsampled.runId)).run?.traceId).toBe(unsampled.runId);
});

test("a run goes on when its caller's deadline is over", async () => {
  await stack.services.shipping.restart({ SHIP_DELAY_MS: "1500" });
  const answer = await client.fulfil(makeOrder("late-1"), 700);
  expect(answer.kind === "error" ? answer.error.code : undefined).toBe(status.DEADLINE_EXCEEDED);
  const waited = await new Promise((resolve, reject) => {
    client.runs.wait({ runId: answer.runId, timeout: undefined }, (error, response) =>
      error ? reject(error) : resolve(response),
    );
  });
  expect(waited).toMatchObject({ done: true, run: { state: Run_State.COMPLETED } });
  await stack.services.shipping.restart({ SHIP_DELAY_MS: "0" });
});

/** What the admin server of the first orchestrator says. */
async function admin(page: string): Promise<{ readonly status: number; readonly body: string }> {
  const lines = stack.orchestrators[0]?.program().lines ?? [];
  const port = lines.map((line) => /"adminPort":(\d+)/.exec(line)?.[1]).find((found) => found !== undefined);
  const answer = await fetch(`http://127.0.0.1:${port}/${page}`);
  return { status: answer.status, body: await answer.text() };
}

test("the admin server answers probes, and counts what was folded", async () => {
  expect([(await admin("livez")).status, (await admin("readyz")).status]).toEqual([200, 200]);
  const { body } = await admin("metrics");
  expect(body).toMatch(/^sidestep_orchestrator_partitions(\{.*\})? [0-4]$/m);
  expect(body).toMatch(/^sidestep_orchestrator_turns_total(\{.*\})? \d+$/m);
});

test("a run can be looked into: its events, its spans as a tree and for trace viewers", async () => {
  const { runId } = await client.fulfil(makeOrder("looked-1"), 20_000);
  const sidestep = async (...args: readonly string[]): Promise<string> =>
    (await runHere(["run", ...args, "--address", address])).stdout;
  const tree = await sidestep("trace", runId);
  expect(tree).toContain(`trace ${runId}`);
  expect(tree).toMatch(/├─ reserve .*\n│  └─ inventory\.v1\.InventoryService\/Reserve/);
  const otlp: unknown = JSON.parse(await sidestep("trace", runId, "-o", "otlp-json"));
  expect(otlp).toMatchObject({
    resourceSpans: expect.arrayContaining([expect.objectContaining({ scopeSpans: expect.any(Array) })]),
  });
  const history: unknown = JSON.parse(await sidestep("history", runId, "-o", "json"));
  expect(history).toMatchObject({
    events: expect.arrayContaining([expect.objectContaining({ kind: "STEP_COMPLETED", step: "ship" })]),
  });
  expect(await sidestep("describe", runId)).toMatch(/state +COMPLETED[\s\S]*charge +call +completed/);
});

test("while NATS is away calls are UNAVAILABLE within their deadline; when it is back everything works again by itself", async () => {
  await stack.nats.kill9();
  const { error, runId } = await send(encodeOrder("away-1"), {}, 3_000);
  expect([error?.code, reasonOf(error).reason, runId]).toEqual([status.UNAVAILABLE, "LOG_UNAVAILABLE", ""]);
  expect(await admin("readyz")).toMatchObject({ status: 503, body: "NATS is away\n" });
  expect((await admin("livez")).status).toBe(200);
  await stack.nats.restart();
  await expect
    .poll(async () => (await client.fulfil(makeOrder("back-1"), 5_000)).kind, { timeout: 60_000, interval: 250 })
    .toBe("ok");
});

test("an orchestrator that starts before NATS says that it waits, and serves once NATS is there", async () => {
  const port = await freePort();
  const listen = `127.0.0.1:${await freePort()}`;
  await using orchestrator = await startNode("orchestrator/src/main.ts", {
    args: ["--listen", listen, "--admin-port", "0", "--nats-url", `nats://127.0.0.1:${port}`],
    readyLine: /waiting for NATS/,
  });
  await using nats = await startNats({ port });
  expect(nats.port).toBe(port);
  await orchestrator.waitForLine(orchestratorReady);
});

test("a server of an unfit version is refused with what is needed", async () => {
  const server = net.createServer((socket) => {
    const greeting = {
      server_id: "x",
      server_name: "x",
      version: "2.9.25",
      proto: 1,
      headers: true,
      max_payload: 1048576,
      jetstream: true,
    };
    socket.on("error", () => undefined);
    socket.write(`INFO ${JSON.stringify(greeting)}\r\n`);
    socket.on("data", (text) => text.toString().includes("PING") && socket.write("PONG\r\n"));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  const port = typeof bound === "object" ? bound?.port : undefined;
  const { code, lines } = await runProgram({
    name: "orchestrator",
    command: process.execPath,
    args: ["orchestrator/src/main.ts", "--admin-port", "0", "--nats-url", `nats://127.0.0.1:${port}`],
  });
  server.close();
  expect(code).toBe(1);
  expect(lines.at(-1)).toMatch(/nats-server 2\.9\.25 is not supported; needed: 2\.12\.12 or later/);
});

test("a server without JetStream is waited for, with a word on what is missing", async () => {
  const port = await freePort();
  await using bare = await startProgram({
    name: "nats-server",
    command: await ensureNatsServer(),
    args: ["-a", "127.0.0.1", "-p", String(port)],
    readyLine: /Server is ready/,
  });
  await using orchestrator = await startNode("orchestrator/src/main.ts", {
    args: ["--listen", "127.0.0.1:0", "--admin-port", "0", "--nats-url", `nats://127.0.0.1:${port}`],
  });
  await orchestrator.waitForLine(/waiting for JetStream.*nats-server -js/);
  expect([bare.isRunning(), orchestrator.isRunning()]).toEqual([true, true]);
});

test("a secret file that can't be read is told, and nothing starts", async () => {
  const { code, lines } = await runProgram({
    name: "orchestrator",
    command: process.execPath,
    args: [
      "orchestrator/src/main.ts",
      "--admin-port",
      "0",
      "--nats-url",
      stack.nats.url,
      "--secret-file",
      "no-such-file",
    ],
  });
  expect([code, lines.at(-1)]).toEqual([1, expect.stringContaining("--secret-file names a file that can't be read")]);
});

test("wrong settings are all told at once, with exit code 2", async () => {
  const { code, lines } = await runProgram({
    name: "orchestrator",
    command: process.execPath,
    args: ["orchestrator/src/main.ts", "--listen", "nowhere", "--natsurl=nats://x"],
    env: { SIDESTEP_PARTITIONS: "0" },
  });
  expect(code).toBe(2);
  expect(lines).toHaveLength(4);
  expect(lines.join("\n")).toMatch(
    /--natsurl is not known; did you mean --nats-url\?[\s\S]*--listen is "nowhere"; expected host:port[\s\S]*SIDESTEP_PARTITIONS is "0"/,
  );
});

test("run exec of the command line waits over a restart of the orchestrator and prints the answer", async () => {
  await stack.services.shipping.restart({ SHIP_DELAY_MS: "1500" });
  const order = JSON.stringify(makeOrder("cli-1"));
  const exec = runProgram({
    name: "sidestep",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "run", "exec", fulfil, "-d", order, "--address", address],
  });
  await expect
    .poll(() => stack.services.payment.journal().some((entry) => entry.order === "cli-1"), {
      timeout: 20_000,
      interval: 20,
    })
    .toBe(true);
  await stack.orchestrators[0]?.restart();
  const { code, stdout } = await exec;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ tracking: expect.stringContaining("cli-1") });
});

/** A FulfilRequest as a client would encode it. */
function encodeOrder(id: string): Uint8Array {
  const text = (field: number, value: string): Buffer =>
    Buffer.concat([Buffer.of((field << 3) | 2, value.length), Buffer.from(value)]);
  const item = Buffer.concat([text(1, "mug"), Buffer.of(0x10, 1)]);
  const money = Buffer.concat([text(1, "EUR"), Buffer.of(0x10, 100)]);
  const inner = (field: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.of((field << 3) | 2, bytes.length), bytes]);
  return Buffer.concat([text(1, id), text(2, "c-1"), inner(3, item), inner(4, money), text(6, "1 Main Street")]);
}
