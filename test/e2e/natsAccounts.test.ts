import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Client, credentials } from "@grpc/grpc-js";
import { connect } from "@nats-io/transport-node";
import { headers as natsHeaders } from "@nats-io/nats-core";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MeshAsk, MeshState } from "../../proto/gen/sidestep/internal/v1/relay.ts";
import { runHere } from "../../cli/src/testing.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { EchoStack } from "../support/echoStack.ts";
import { freePort } from "../support/freePort.ts";
import { sidecarReady } from "../support/orderStack.ts";
import { startNode } from "../support/program.ts";

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
  // The service of somebody else; nobody stands beside it.
  rpc Other(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "say" call { method: "echo.v1.Echo/Say" request: 'input' } }
    };
  }
}
`;

const passwords = { SIDESTEP: "one", "echo-v1-Raw": "two", "echo-v1-Echo": "three", "shop-v1-Orders": "four" };
/** echo.v1.Raw may call workflows, and shop.v1.Orders, whose account nobody else has, may call echo.v1.Raw. */
const printing = ["nats", "config", "--caller", "echo.v1.Raw", "--mesh", "echo.v1.Raw=shop.v1.Orders", "--"];
const runId = "0198c0ffee0010008000000000000001";
const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let stack: EchoStack;
/** Whoever has the password of the other service's sidecar, and owns of NATS what that one does. */
let intruder: NatsConnection;
/** Sees everything. */
let owner: NatsConnection;

let listen: string;
let listenOther: string;

beforeAll(async () => {
  listen = `127.0.0.1:${await freePort()}`;
  listenOther = `127.0.0.1:${await freePort()}`;
  stack = closing.use(
    await startEchoStack(contract, {
      natsConfiguration: async (folder) => {
        const printed = await runHere([...printing, folder]);
        if (printed.code !== 0) throw new Error(printed.stderr);
        const variables = Object.entries(passwords).map(
          ([name, value]) => `${name.toUpperCase().replaceAll("-", "_")}_PASSWORD: ${value}`,
        );
        return `${variables.join("\n")}\n${printed.stdout}`;
      },
      env: { NATS_USER: "sidestep", NATS_PASSWORD: passwords.SIDESTEP },
      sidecarEnv: { NATS_USER: "echo-v1-Raw", NATS_PASSWORD: passwords["echo-v1-Raw"] },
      sidecarArgs: ["--expose", "echo.v1.Raw", "--listen", listen, "--mesh-allow", "echo.v1.Raw=*"],
    }),
  );
  const orders = await startNode("sidecar/src/main.ts", {
    name: "sidecar of orders",
    args: `--service localhost:1 --expose shop.v1.Orders --admin-port 0 --listen ${listenOther} --mesh echo.v1.Raw`.split(
      " ",
    ),
    env: {
      NATS_URL: stack.nats.url,
      NODE_OPTIONS: undefined,
      NATS_USER: "shop-v1-Orders",
      NATS_PASSWORD: passwords["shop-v1-Orders"],
    },
    readyLine: sidecarReady,
  });
  closing.defer(async () => void (await orders.kill9()));
  const open = async (user: string, pass: string): Promise<NatsConnection> => {
    const connection = await connect({ servers: stack.nats.url, user, pass });
    closing.defer(() => connection.close());
    return connection;
  };
  intruder = await open("echo-v1-Echo", passwords["echo-v1-Echo"]);
  owner = await open("sidestep", passwords.SIDESTEP);
});

async function passes(length: number): Promise<void> {
  const request = new BinaryWriter().tag(1, WireType.LengthDelimited).string("x".repeat(length)).finish();
  const end = await stack.call("flows.v1.Flows/Whole", request);
  if (end.kind === "error") throw end.error;
  expect(Buffer.compare(end.bytes, request)).toBe(0);
}

test("a sidecar of an account of its own does all that its service needs", async () => {
  await passes(10);
  // Kept apart from its message, there and back.
  await passes(2 * 1024 * 1024);
  expect((await runHere(["sidecar", "list", "--address", stack.address])).stdout).toContain("echo.v1.Raw");
  // Turns of a rate, and the queue of a limited method.
  const limit = [
    "limit",
    "set",
    "echo.v1.Raw/Pass",
    "--concurrency",
    "1",
    "--rate",
    "100/s",
    "--address",
    stack.address,
  ];
  expect((await runHere(limit)).code).toBe(0);
  await passes(10);
  await passes(10);
});

test("its service calls workflows through it, and another service's sidecar calls its own", async () => {
  const request = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string("x".repeat(1024 * 1024))
    .finish();
  expect(await sendTo(listen, "flows.v1.Flows/Whole", request)).toEqual({ kind: "answer", bytes: request });
  const small = request.subarray(0, 0);
  expect(await sendTo(listenOther, "echo.v1.Raw/Echo", small)).toEqual({ kind: "answer", bytes: small });
  // And asks whether a call is under way there.
  const orders = await connect({ servers: stack.nats.url, user: "shop-v1-Orders", pass: passwords["shop-v1-Orders"] });
  const ask = MeshAsk.encode(MeshAsk.fromPartial({ method: "echo.v1.Raw/Echo" })).finish();
  const state = await orders.request("sidestep.mesh.echo-v1-Raw.shop-v1-Orders.ask", ask, { timeout: 5_000 });
  expect(MeshState.decode(state.data)).toMatchObject({ isIdempotent: false });
  await orders.close();
  // Its account may not call workflows.
  expect(await sendTo(listenOther, "flows.v1.Flows/Whole", small)).toMatchObject({ code: 14 });
});

async function sendTo(address: string, rpc: string, request: Uint8Array): Promise<unknown> {
  const client = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const deadline = Date.now() + 20_000;
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(`/${rpc}`, same, same, Buffer.from(request), { deadline }, (error, bytes) =>
        resolve(error === null ? { kind: "answer", bytes: new Uint8Array(bytes ?? []) } : { code: error.code }),
      );
    });
  } finally {
    client.close();
  }
}

interface Probe {
  readonly subject: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What it asks for directly; nobody may answer but with an error. */
const asked: Readonly<Record<string, Probe>> = {
  "pull another's tasks": { subject: "$JS.API.CONSUMER.MSG.NEXT.SIDESTEP_TASKS.echo-v1-Raw", body: '{"no_wait":true}' },
  "acknowledge another's tasks": { subject: "$JS.ACK.SIDESTEP_TASKS.echo-v1-Raw.1.1.1.1.0", body: "+ACK" },
  "write another's outcome": { subject: `sidestep.out.echo-v1-Raw.0.${runId}` },
  "write into the log": { subject: `sidestep.log.0.${runId}.e` },
  "write into the audit": { subject: "sidestep.audit.1" },
  "publish a task": { subject: "sidestep.task.echo-v1-Raw.Echo" },
  "set a timer": { subject: `sidestep.timer.0.${runId}.1`, headers: { "Nats-Schedule": "@at 2020-01-01T00:00:00Z" } },
  "ask for another": { subject: "sidestep.ask.echo-v1-Raw.0" },
  "call a workflow in another's name": { subject: "sidestep.relay.echo-v1-Raw" },
  "call a workflow without having been let in": { subject: "sidestep.relay.echo-v1-Echo" },
  "call a service that does not let it in": { subject: "sidestep.mesh.echo-v1-Raw.echo-v1-Echo" },
  "call a service in another's name": { subject: "sidestep.mesh.echo-v1-Raw.shop-v1-Orders" },
  "ask for another's calls": { subject: "sidestep.mesh.echo-v1-Raw.shop-v1-Orders.ask" },
  "wait for a run": { subject: "sidestep.wait.0" },
  "keep another's payload": { subject: `sidestep.payload.echo-v1-Raw.${runId}.${runId}.0` },
  "offer what another does": { subject: "$KV.SIDESTEP_CATALOG.echo-v1-Raw.me" },
  "take another's turns": { subject: "$KV.SIDESTEP_LIMITS.turn.echo-v1-Raw.Echo" },
  "set limits": { subject: "$KV.SIDESTEP_LIMITS.limits" },
  "take a partition": { subject: "$KV.SIDESTEP_PARTITIONS.0" },
  "take a key": { subject: "$KV.SIDESTEP_KEYS.0.1" },
  "read the log": { subject: "$JS.API.STREAM.MSG.GET.SIDESTEP_LOG_0", body: '{"seq":1}' },
  "read the log directly": { subject: "$JS.API.DIRECT.GET.SIDESTEP_LOG_0", body: '{"seq":1}' },
  "read tasks": { subject: "$JS.API.STREAM.MSG.GET.SIDESTEP_TASKS", body: '{"seq":1}' },
  "read payloads whose name it doesn't know": { subject: "$JS.API.DIRECT.GET.SIDESTEP_PAYLOADS", body: '{"seq":1}' },
  "list streams": { subject: "$JS.API.STREAM.NAMES" },
  "delete a stream": { subject: "$JS.API.STREAM.DELETE.SIDESTEP_TASKS" },
  "purge a stream": { subject: "$JS.API.STREAM.PURGE.SIDESTEP_LOG_0" },
  "delete a message": { subject: "$JS.API.STREAM.MSG.DELETE.SIDESTEP_LOG_0", body: '{"seq":1}' },
  "make a consumer": {
    subject: "$JS.API.CONSUMER.CREATE.SIDESTEP_LOG_0",
    body: '{"stream_name":"SIDESTEP_LOG_0","config":{"ack_policy":"none"}}',
  },
  "delete a consumer": { subject: "$JS.API.CONSUMER.DELETE.SIDESTEP_TASKS.echo-v1-Raw" },
  "have a timer fire into the log": {
    subject: `sidestep.out.echo-v1-Echo.0.${runId}`,
    headers: { "Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": `sidestep.log.0.${runId}.e` },
  },
  "wipe the log by a header": { subject: `sidestep.out.echo-v1-Echo.0.${runId}`, headers: { "Nats-Rollup": "all" } },
  "wipe the catalog by a header": {
    subject: "$KV.SIDESTEP_CATALOG.echo-v1-Echo.me",
    headers: { "Nats-Rollup": "all" },
  },
  "wipe the limits by a header": { subject: "$KV.SIDESTEP_LIMITS.clock.me", headers: { "Nats-Rollup": "all" } },
  "wipe the payloads by a header": {
    subject: `sidestep.payload.echo-v1-Echo.${runId}.${runId}.0`,
    headers: { "Nats-Rollup": "all" },
  },
};

test.each(Object.entries(asked))("a sidecar's account can't %s", async (_, { subject, body = "", headers = {} }) => {
  const carried = natsHeaders();
  for (const [name, value] of Object.entries(headers)) carried.set(name, value);
  const before = await counts();
  const answer = await intruder.request(subject, body, { timeout: 2_000, headers: carried }).then(
    (message) => (message.headers?.code === 503 ? "nobody" : message.string()),
    (error: Error) => (/no responders|503/i.test(error.message) ? "nobody" : `no answer: ${error.message}`),
  );
  expect(answer).toMatch(/^nobody$|"error":\{"code":/);
  expect(await counts()).toEqual(before);
});

test("it can read the names of others' payloads, and nothing of what is in them", async () => {
  await passes(2 * 1024 * 1024);
  for (const writer of ["_", "echo-v1-Raw"]) {
    const firstChunks = `$JS.API.DIRECT.GET.SIDESTEP_PAYLOADS.sidestep.payload.${writer}.*.*.0`;
    const stolen = await intruder.request(firstChunks, "", { timeout: 2_000 });
    expect(stolen.headers?.get("Nats-Subject")).toContain(`sidestep.payload.${writer}.`);
    expect(stolen.data.length).toBeGreaterThan(1_000);
    // What was sent is one letter two million times; of what is sealed each byte is as frequent as any other.
    const letters = stolen.data.filter((byte) => byte === 0x78).length;
    expect(letters / stolen.data.length).toBeLessThan(0.02);
  }
});

/** Messages and consumers of each stream that no bystander changes. */
async function counts(): Promise<readonly string[]> {
  const names = ["LOG_0", "LOG_1", "LOG_2", "LOG_3", "TASKS", "TIMERS", "PAYLOADS"];
  return Promise.all(
    names.map(async (name) => {
      const message = await owner.request(`$JS.API.STREAM.INFO.SIDESTEP_${name}`);
      const { config, state } = message.json<{
        readonly config: { readonly name: string };
        readonly state: { readonly messages: number; readonly last_seq: number; readonly consumer_count: number };
      }>();
      // Tasks that are done are removed meanwhile.
      const kept = name === "TASKS" ? "" : `, ${state.messages} messages`;
      return `${config.name}: up to ${state.last_seq}${kept}, ${state.consumer_count} consumers`;
    }),
  );
}

/** An answer to a request of its own is carried out where it names a request as the place to answer to. */
const replies: Readonly<Record<string, string>> = {
  "delete a stream": "$JS.API.STREAM.DELETE.SIDESTEP_TASKS",
  "purge the log": "$JS.API.STREAM.PURGE.SIDESTEP_LOG_0",
  "delete a consumer": "$JS.API.CONSUMER.DELETE.SIDESTEP_TASKS.echo-v1-Raw",
  "write into the log": `sidestep.log.0.${runId}.e`,
  "write another's outcome": `sidestep.out.echo-v1-Raw.0.${runId}`,
};

test.each(Object.entries(replies))("no answer to it can %s", async (_, reply) => {
  const before = await counts();
  const pull = "$JS.API.CONSUMER.MSG.NEXT.SIDESTEP_TASKS.echo-v1-Echo";
  intruder.publish(pull, '{"no_wait":true,"group":"load"}', { reply });
  intruder.publish("$JS.ACK.SIDESTEP_TASKS.echo-v1-Echo.1.1.1.1.0", "+NXT", { reply });
  intruder.publish("$KV.SIDESTEP_CATALOG.echo-v1-Echo.me", "", { reply });
  intruder.publish(`$JS.API.STREAM.MSG.GET.KV_SIDESTEP_LIMITS`, '{"seq":1}', { reply });
  // What it asks behind these is answered behind them.
  await intruder.request(pull, '{"no_wait":true,"group":"load"}', { timeout: 2_000 });
  await owner.flush();
  expect(await counts()).toEqual(before);
});

test("it hears nothing of what others say to each other", async () => {
  const heard: string[] = [];
  const subscription = intruder.subscribe(">", { callback: (_, message) => void heard.push(message.subject) });
  await intruder.flush();
  await passes(10);
  await intruder.flush();
  subscription.unsubscribe();
  expect(heard).toEqual([]);
});
