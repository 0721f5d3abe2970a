import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MeshCall, MeshReply } from "../../proto/gen/sidestep/internal/v1/relay.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { runHere } from "../../cli/src/testing.ts";
import { connectTo } from "../support/connectTo.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { EchoStack } from "../support/echoStack.ts";
import { freePort } from "../support/freePort.ts";
import { buildImage } from "../support/image.ts";
import { sidecarReady } from "../support/orderStack.ts";
import { repositoryRoot, startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";

// Calls of methods of other services while sidecars die, are full, or lie.

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Whole(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "say" call { method: "echo.v1.Echo/Say" request: 'input' } }
    };
  }
}
`;

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let stack: EchoStack;
/** Says of Say that it may be called twice. */
let idempotent: string;

beforeAll(async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-mesh-"));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  const module = path.join(folder, "proto");
  await cp(path.join(repositoryRoot, "sidecar/testdata/echo/proto"), module, { recursive: true });
  const proto = path.join(module, "echo/v1/echo.proto");
  const told = (await readFile(proto, "utf8")).replace(
    "rpc Say(SayRequest) returns (SayResponse);",
    "rpc Say(SayRequest) returns (SayResponse) { option idempotency_level = IDEMPOTENT; }",
  );
  await writeFile(proto, told);
  idempotent = path.join(folder, "image.binpb");
  await writeFile(idempotent, await buildImage(module));
  stack = closing.use(await startEchoStack(contract, { sidecarArgs: ["--concurrency", "2", ...letsIn] }));
  // Until the sidecar has found its service.
  for (let isServed = false; !isServed;)
    isServed = (await callRaw("shop.v1.Orders", { request: say("first", 0) })).kind?.$case === "completed";
});

const letsIn = ["--mesh-allow", "echo.v1.Echo=*"];

/** An echo service of its own, and the sidecar beside it, which lets all in. */
async function startCalled(...more: readonly string[]): Promise<{ readonly echo: Program; readonly sidecar: Program }> {
  const echo = await startNode("sidecar/testdata/echo/server.mjs", {
    name: "echo",
    args: ["--reflection", "v1"],
    readyLine: /^listening/,
  });
  closing.defer(async () => void (await echo.kill9()));
  const port = /^listening (\d+)/.exec(echo.lines.find((line) => line.startsWith("listening")) ?? "")?.[1];
  const sidecar = await startSidecar(`localhost:${port}`, "--expose", "echo.v1.Echo", ...letsIn, ...more);
  return { echo, sidecar };
}

async function startSidecar(service: string, ...more: readonly string[]): Promise<Program> {
  const sidecar = await startNode("sidecar/src/main.ts", {
    name: "sidecar",
    args: ["--service", service, "--admin-port", "0", ...more],
    env: { NATS_URL: stack.nats.url, NODE_OPTIONS: undefined },
    readyLine: sidecarReady,
  });
  closing.defer(async () => void (await sidecar.kill9()));
  return sidecar;
}

/** What a service has that calls through its own sidecar. */
async function startCalling(): Promise<Client> {
  const address = `127.0.0.1:${await freePort()}`;
  await startSidecar("localhost:1", "--expose", "shop.v1.Orders", "--listen", address, "--mesh", "echo.v1.Echo");
  const client = new Client(address, credentials.createInsecure());
  closing.defer(() => client.close());
  return client;
}

const same = (bytes: Buffer): Buffer => bytes;
const method = "echo.v1.Echo/Say";

function say(text: string, delayMs: number): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(text).tag(4, WireType.Varint);
  return Buffer.from(writer.int32(delayMs).finish());
}

function call(client: Client, request: Buffer, metadata = new Metadata()): Promise<ServiceError | Buffer> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 30_000 };
    client.makeUnaryRequest(`/${method}`, same, same, request, metadata, options, (error, bytes) =>
      resolve(error ?? bytes ?? Buffer.alloc(0)),
    );
  });
}

const silent = MeshReply.fromPartial({});

/** Asks for a call as a sidecar could that somebody has broken into. */
async function callRaw(caller: string, given: Partial<MeshCall>): Promise<MeshReply> {
  await using nats = await connectTo(stack.nats.url);
  const data = MeshCall.encode(MeshCall.fromPartial({ method, timeoutMs: 60_000, ...given })).finish();
  const asked = nats.connection.request(toNames().meshSubject("echo.v1.Echo", caller), data, { timeout: 60_000 });
  return await asked.then(
    (answer) => MeshReply.decode(answer.data),
    () => silent,
  );
}

/** Calls of that text that are under way at a service, or were when their caller left. */
function underWay(echo: Program, text: string): number {
  const told = (what: string): number =>
    echo.lines.filter((line) => line.startsWith(what) && line.includes(`"text":"${text}"`)).length;
  return told("begin") - told("end");
}

test("headers by which a service knows runs, attempts and who asks don't come from another service", async () => {
  const forged = ["sidestep-run-id", "Sidestep-Attempt", "SIDESTEP-ROLE", "grpc-timeout", "x-tenant"];
  const headers = forged.map((key) => ({ key, value: Buffer.from("forged"), secret: "" }));
  const reply = await callRaw("shop.v1.Orders", { request: say("forgery", 0), headers });
  expect(reply.kind).toMatchObject({ $case: "completed" });
  const line = stack.echo.lines.find((one) => one.startsWith("begin") && one.includes("forgery")) ?? "";
  expect(line).toContain('"x-tenant":["forged"]');
  expect(line.match(/forged/g)).toHaveLength(1);
});

test("tasks and calls of others share the slots, and one caller does not get all of them", async () => {
  const { echo } = stack;
  const greedy = Array.from({ length: 6 }, () => callRaw("greedy.v1.Greedy", { request: say("greedy", 6_000) }));
  await echo.waitForLine(/begin.*greedy/);
  const refused = await Promise.race(greedy);
  expect(refused.kind).toMatchObject({ $case: "refused" });
  const runs = Array.from({ length: 4 }, () => stack.call("flows.v1.Flows/Whole", say("a task", 1_000)));
  await echo.waitForLine(/begin.*a task/);
  for (const ended of await Promise.all(runs)) expect(ended.kind).toBe("answer");
  const answers = await Promise.all(greedy);
  expect(answers.filter(({ kind }) => kind?.$case === "completed")).toHaveLength(1);
  let now = 0;
  let most = 0;
  for (const line of echo.lines.filter((one) => /^(begin|end).*(greedy|a task)/.test(one))) {
    now += line.startsWith("begin") ? 1 : -1;
    most = Math.max(most, now);
  }
  expect(most).toBe(2);
});

test("a drain waits for calls that others have under way there", async () => {
  const { echo, address } = stack;
  const answer = callRaw("shop.v1.Orders", { request: say("long", 4_000) });
  await echo.waitForLine(/begin.*long/);
  const listed = await runHere(["sidecar", "list", "-o", "json", "--address", address]);
  const id = /"id": ?"([^"]+)"/.exec(listed.stdout)?.[1] ?? "";
  const drained = await runHere(["sidecar", "drain", id, "--reason", "a test", "--address", address]);
  expect(drained.code).toBe(0);
  expect(underWay(echo, "long")).toBe(0);
  expect((await answer).kind).toMatchObject({ $case: "completed" });
});

test("a call whose sidecar dies is made again by another one, if it may be", async () => {
  await stack.programs()[1]?.kill9();
  const both = await Promise.all([
    startCalled("--descriptor-set", idempotent),
    startCalled("--descriptor-set", idempotent),
  ]);
  const client = await startCalling();
  expect(await call(client, say("before", 0))).toBeInstanceOf(Buffer);
  const answer = call(client, say("twice", 5_000));
  await Promise.any(both.map(({ echo }) => echo.waitForLine(/begin.*twice/)));
  const [first, second] = underWay(both[0].echo, "twice") > 0 ? both : [both[1], both[0]];
  await first.sidecar.kill9();
  expect(await answer).toBeInstanceOf(Buffer);
  expect(second.echo.lines.filter((line) => /begin.*twice/.test(line))).toHaveLength(1);
  await second.sidecar.kill9();
});

test("a call whose sidecar dies is in doubt, if it may not be made twice, and that is told at once", async () => {
  const { echo, sidecar } = await startCalled();
  const client = await startCalling();
  const answer = call(client, say("once", 25_000));
  await echo.waitForLine(/begin.*once/);
  await sidecar.kill9();
  await expect(answer).resolves.toMatchObject({ code: status.UNKNOWN, details: expect.stringContaining("in doubt") });
});
