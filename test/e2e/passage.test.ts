import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { StartRunRequest, WaitRunRequest, WaitRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { runHere } from "../../cli/src/testing.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { EchoStack } from "../support/echoStack.ts";
import { freePort } from "../support/freePort.ts";
import { sidecarReady } from "../support/orderStack.ts";
import { startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";

// Calls that a service makes through its own sidecar: it has no address of an orchestrator or of another service, and no credential.

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Whole(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "first" call { method: "echo.v1.Raw/Echo" request: 'input' } }
      step { id: "pass" call { method: "echo.v1.Raw/Pass" request: 'first' } }
    };
  }
  rpc Fails(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { fail { code: NOT_FOUND message: '"no such thing as " + input.text' } }
    };
  }
  // Longer than an orchestrator holds a call.
  rpc Slow(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { wait { for: "12s" } }
      output: '{text: input.text + " at last"}'
    };
  }
  rpc Tell(echo.v1.SayRequest) returns (stream echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      key: 'input.text'
      step { yield: '{text: "one"}' }
      step { yield: '{text: "two"}' }
      step { signal { name: "on" type: "echo.v1.SayRequest" } }
      step { yield: '{text: "three"}' }
      output: '{text: "last"}'
    };
  }
  rpc On(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.signal) = { workflow: "Tell" name: "on" key: 'input.text' };
  }
}
`;

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let stack: EchoStack;
/** What a service has of the world: the address of its sidecar. */
let fromEcho: Client;
let fromOther: Client;

beforeAll(async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-passage-"));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  const address = `127.0.0.1:${await freePort()}`;
  const socket = `unix:${folder}/way-in.sock`;
  stack = closing.use(
    await startEchoStack(contract, {
      sidecarArgs: ["--listen", address, "--mesh-allow", "echo.v1.Raw=shop.v1.Orders,echo.v1.Echo=shop.v1.Orders"],
    }),
  );
  const other = await startOther(socket);
  closing.defer(async () => void (await other.kill9()));
  fromEcho = open(address);
  fromOther = open(socket);
});

const mesh = "--mesh echo.v1.Raw,echo.v1.Echo,echo.v1.Nobody";

/** The sidecar of another service, which calls those of echo. */
function startOther(listen: string): Promise<Program> {
  return startNode("sidecar/src/main.ts", {
    name: "sidecar of orders",
    args: `--service localhost:1 --expose shop.v1.Orders --admin-port 0 --listen ${listen} ${mesh}`.split(" "),
    env: { NATS_URL: stack.nats.url, NODE_OPTIONS: undefined },
    readyLine: sidecarReady,
  });
}

function open(address: string): Client {
  const client = new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  closing.defer(() => client.close());
  return client;
}

interface Ended {
  readonly error: ServiceError | null;
  readonly bytes: Buffer;
  readonly runId: string;
  readonly proof: string;
}

const same = (bytes: Buffer): Buffer => bytes;

function call(
  client: Client,
  rpc: string,
  request: Uint8Array,
  { timeoutMs = 30_000, metadata = new Metadata() }: { readonly timeoutMs?: number; readonly metadata?: Metadata } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    let runId = "";
    let proof = "";
    const options = { deadline: Date.now() + timeoutMs };
    client
      .makeUnaryRequest(`/${rpc}`, same, same, Buffer.from(request), metadata, options, (error, bytes) =>
        resolve({ error, bytes: bytes ?? Buffer.alloc(0), runId, proof }),
      )
      .on("metadata", (got) => {
        runId = String(got.get("sidestep-run-id")[0] ?? "");
        proof = String(got.get("sidestep-run-proof")[0] ?? "");
      });
  });
}

function say(text: string): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.LengthDelimited).string(text).finish());
}

test("a service runs a workflow through its sidecar, and gets the answer's own bytes", async () => {
  const { error, bytes, runId } = await call(fromEcho, "flows.v1.Flows/Whole", say("hello"));
  expect(error).toBeNull();
  expect(bytes).toEqual(say("hello"));
  expect(runId).toMatch(/^[0-9a-f]{32}$/);
});

test("the caller's trace goes on in the run", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const metadata = Metadata.fromHttp2Headers({ traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  const { runId } = await call(fromEcho, "flows.v1.Flows/Whole", say("traced"), { metadata });
  const traced = await runHere(["run", "trace", runId, "-o", "otlp-json", "--address", stack.address]);
  expect(traced.code).toBe(0);
  const ids = [...traced.stdout.matchAll(/"traceId": ?"([0-9a-f]+)"/g)].map(([, id]) => id);
  expect(new Set(ids)).toEqual(new Set([traceId]));
  expect(traced.stdout).toContain("b7ad6b7169203331");
  const history = await runHere(["run", "history", runId, "-o", "json", "--address", stack.address]);
  expect(history.stdout).toMatch(/"actor": ?"echo\.v1\.\w+"/);
});

test("requests and answers that no message has room for pass as well", async () => {
  const request = say("x".repeat(3 * 1024 * 1024));
  const { error, bytes } = await call(fromEcho, "flows.v1.Flows/Whole", request);
  expect(error).toBeNull();
  expect(Buffer.compare(bytes, request)).toBe(0);
  const { error: tooLarge } = await call(fromEcho, "flows.v1.Flows/Whole", say("x".repeat(5 * 1024 * 1024)));
  expect(tooLarge).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

test("a failure comes with code, message and details of the step", async () => {
  const { error } = await call(fromEcho, "flows.v1.Flows/Fails", say("this"));
  expect(error).toMatchObject({ code: status.NOT_FOUND, details: "no such thing as this" });
  const details = error?.metadata.get("grpc-status-details-bin")[0];
  expect(RpcStatus.decode(Buffer.from(details ?? "")).details).toHaveLength(1);
});

test("what is no rpc of a workflow, and what a service may not do, is refused", async () => {
  const { error } = await call(fromEcho, "shop.v1.Orders/Place", say(""));
  expect(error).toMatchObject({ code: status.UNIMPLEMENTED });
  const { error: steering } = await call(fromEcho, "sidestep.v1.Runs/Cancel", say(""));
  expect(steering).toMatchObject({ code: status.PERMISSION_DENIED });
  const { error: forged } = await call(fromEcho, "sidestep.v1.Definitions/Deploy", say(""), {
    metadata: Metadata.fromHttp2Headers({ "sidestep-role": "admin", "sidestep-actor": "root" }),
  });
  expect(forged?.details).toContain("echo.v1");
});

test("a call's own time holds", async () => {
  const { error } = await call(fromEcho, "flows.v1.Flows/Slow", say("late"), { timeoutMs: 300 });
  expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

test("a call outlives the orchestrator that took it", async () => {
  const slow = call(fromEcho, "flows.v1.Flows/Slow", say("here"));
  const { promise: begun, resolve } = Promise.withResolvers<undefined>();
  const other = fromEcho.makeUnaryRequest("/flows.v1.Flows/Slow", same, same, say("there"), () => undefined);
  other.on("metadata", () => resolve(undefined));
  await begun;
  await stack.crashOrchestrator();
  const { error, bytes } = await slow;
  expect(error).toBeNull();
  expect(bytes).toEqual(say("here at last"));
});

/** Waits for a run as a service does that has its id, and perhaps a proof. */
async function waitAt(client: Client, runId: string, proof?: string): Promise<Buffer | number | undefined> {
  const request = WaitRunRequest.encode(WaitRunRequest.fromPartial({ runId })).finish();
  const metadata = Metadata.fromHttp2Headers(proof === undefined ? {} : { "sidestep-run-proof": proof });
  const { error, bytes } = await call(client, "sidestep.v1.Runs/Wait", request, { metadata });
  return error === null ? Buffer.from(WaitRunResponse.decode(bytes).run?.response ?? []) : error.code;
}

test("a service gets the answer of a run that it has begun or joined, and of no other whose id it has", async () => {
  const about = { workflow: "flows.v1.Flows/Whole", request: say("mine"), idempotencyKey: "order-1" };
  const start = StartRunRequest.encode(StartRunRequest.fromPartial(about)).finish();
  const begun = await call(fromEcho, "sidestep.v1.Runs/Start", start);
  expect(begun.proof).not.toBe("");
  expect(await waitAt(fromOther, begun.runId)).toBe(status.PERMISSION_DENIED);
  expect(await waitAt(fromOther, begun.runId, begun.proof)).toBe(status.PERMISSION_DENIED);
  // It need not keep what proves it: the history names it.
  expect(await waitAt(fromEcho, begun.runId)).toEqual(say("mine"));
  const joined = await call(fromOther, "sidestep.v1.Runs/Start", start);
  expect(joined.runId).toBe(begun.runId);
  await stack.crashOrchestrator();
  expect(await waitAt(fromOther, joined.runId, joined.proof)).toEqual(say("mine"));
  expect(await waitAt(fromOther, joined.runId, begun.proof)).toBe(status.PERMISSION_DENIED);
});

test("a stream comes message by message, and goes on after a signal through the same sidecar", async () => {
  const texts: string[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  const { promise: two, resolve: gotTwo } = Promise.withResolvers<undefined>();
  const stream = fromEcho.makeServerStreamRequest("/flows.v1.Flows/Tell", same, same, say("story"));
  stream.on("data", (bytes: Buffer) => {
    texts.push(bytes.subarray(2).toString());
    if (texts.length === 2) gotTwo(undefined);
  });
  stream.on("error", () => undefined);
  stream.on("status", ({ code }) => resolve(code));
  await two;
  expect(texts).toEqual(["one", "two"]);
  expect((await call(fromEcho, "flows.v1.Flows/On", say("story"))).error).toBeNull();
  expect(await ended).toBe(status.OK);
  expect(texts).toEqual(["one", "two", "three", "last"]);
});

test("a service calls a method of another one through both sidecars", async () => {
  const metadata = Metadata.fromHttp2Headers({ "x-tenant": "acme" });
  metadata.set("x-token-bin", Buffer.from([0, 255]));
  const { error, bytes } = await call(fromOther, "echo.v1.Echo/Say", say("hi there"), { metadata });
  expect(error).toBeNull();
  expect(bytes.subarray(0, say("hi there").length)).toEqual(say("hi there"));
  const line = stack.echo.lines.find((one) => one.startsWith("begin") && one.includes("hi there"));
  expect(line).toContain('"x-tenant":["acme"]');
  expect(line).toContain('"x-token-bin":[{"type":"Buffer","data":[0,255]}]');
});

test("whoever is not let in, and what nobody offers, gets UNAVAILABLE with what to do; streams are refused", async () => {
  const { error } = await call(fromOther, "echo.v1.Nobody/Say", say(""), { timeoutMs: 1_500 });
  expect(error).toMatchObject({ code: status.UNAVAILABLE });
  expect(error?.details).toContain("--mesh-allow");
  const { error: stream } = await call(fromOther, "echo.v1.Echo/Follow", say("abc"));
  expect(stream).toMatchObject({ code: status.UNIMPLEMENTED });
  // Of its own sidecar's --mesh, not of the other's --mesh-allow.
  const { error: notMeant } = await call(fromEcho, "echo.v1.Echo/Say", say(""));
  expect(notMeant?.details).toContain("--mesh");
});

test("what the other service answers comes as it is, with its details", async () => {
  const details = RpcStatus.encode({ code: 9, message: "not now", details: [] }).finish();
  const request = Buffer.concat([
    say("no"),
    new BinaryWriter().tag(2, WireType.Varint).int32(status.FAILED_PRECONDITION).finish(),
    new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(details).finish(),
  ]);
  const { error } = await call(fromOther, "echo.v1.Echo/Say", request);
  expect(error).toMatchObject({ code: status.FAILED_PRECONDITION, details: "status 9" });
  expect(error?.metadata.get("grpc-status-details-bin")[0]).toEqual(Buffer.from(details));
});
