import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { toRegistry } from "../../proto/json/registry.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { buildImage } from "../../test/support/image.ts";
import { repositoryRoot } from "../../test/support/program.ts";
import { findConsole } from "./frontDoor.ts";
import type { FrontServer } from "./frontDoor.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "./grpc/testing.ts";
import { contractOf, parseImage } from "./processor/contract.ts";

const workflow = "shop.v1.OrderWorkflow/Fulfil";
const folder = mkdtempSync(path.join(tmpdir(), "sidestep-console-"));
const front = fakeFront();
let contract = new Uint8Array();
let server: FrontServer;

beforeAll(async () => {
  mkdirSync(path.join(folder, "assets"));
  writeFileSync(path.join(folder, "index.html"), "<!doctype html><title>console</title>");
  writeFileSync(path.join(folder, "assets", "main-1a2b.js"), "//".padEnd(5_000, "x"));
  const image = parseImage(await buildImage("examples/order/proto"));
  contract = image === undefined ? contract : new Uint8Array(contractOf(image, "shop.v1.OrderWorkflow"));
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry(workflow)]);
  const timeouts = { headersMs: 300, requestMs: 600 };
  server = await openTestServer(front, definitions, { consoleFolder: folder, timeouts });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly json: () => unknown;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

async function ask(at: string, { method = "POST", headers = {}, body = "{}" }: Asking = {}): Promise<Answer> {
  const asked = httpRequest({
    host: "127.0.0.1",
    port: server.port,
    path: at,
    method,
    agent: false,
    headers: { "content-type": "application/json", ...headers },
  });
  asked.end(method === "POST" ? body : undefined);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) as unknown };
}

function shop(type: string, json: JsonValue): Buffer {
  const registry = toRegistry(fromBinary(FileDescriptorSetSchema, contract).file);
  const message = registry.getMessage(type);
  if (message === undefined) throw new Error(`no ${type}`);
  return Buffer.from(toBinary(message, fromJson(message, json, { registry })));
}

test.skipIf(process.platform !== "linux")("connections are looked after by the system: TCP keepalive", async () => {
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(socket, "data");
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  const ends = new RegExp(`:${hex(server.port)} \\w+:${hex(socket.localPort ?? 0)} 01 \\S+ (\\S\\S)`);
  // The kind of timer that runs for it, by proc(5): 02 is keepalive.
  const timer = (): string | undefined => ends.exec(readFileSync("/proc/net/tcp", "utf8"))?.[1];
  await expect.poll(timer).toBe("02");
  socket.destroy();
});

test("an rpc of ours is called with its request as JSON, and answers as protobuf JSON", async () => {
  front.run = { workflow, state: Run_State.RUNNING, startedAt: { seconds: 1_700_000_000n, nanos: 0 } };
  const answer = await ask("/sidestep.v1.Runs/Get", { body: `{"run_id": "${someRun}"}` });
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
  });
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  expect(answer.json()).toEqual({
    run: { runId: someRun, workflow, state: "RUNNING", startedAt: "2023-11-14T22:13:20Z" },
  });
});

test("with ?decoded the bytes of a run are shown as the messages they are", async () => {
  const request = shop("shop.v1.FulfilRequest", { orderId: "o-1", customerId: "c" });
  front.run = { workflow, request, requestType: "shop.v1.FulfilRequest" };
  const body = `{"runId": "${someRun}"}`;
  const plain = (await ask("/sidestep.v1.Runs/Get", { body })).json();
  expect(plain).toMatchObject({ run: { request: request.toString("base64") } });
  const decoded = (await ask("/sidestep.v1.Runs/Get?decoded", { body })).json();
  expect(decoded).toMatchObject({ run: { request: { orderId: "o-1", customerId: "c" } } });
});

test("a workflow's rpc starts a run with JSON, and its headers reach the run as over gRPC", async () => {
  front.starts.length = 0;
  front.end({ response: shop("shop.v1.FulfilResponse", {}) });
  const body = '{"orderId": "o-1"}';
  const headers = { "idempotency-key": "k-1", "x-tenant": "t", cookie: "secret=1", traceparent: "00-1-2-01" };
  const answer = await ask(`/${workflow}`, { body, headers });
  expect(answer).toMatchObject({ status: 200, text: "{}\n" });
  expect(answer.headers["sidestep-run-id"]).toBe(someRun);
  const [start] = front.starts;
  expect(Buffer.from(start?.request ?? "")).toEqual(shop("shop.v1.FulfilRequest", { orderId: "o-1" }));
  expect(start?.idempotencyKey).toBe("k-1");
  expect(Object.fromEntries(start?.metadata ?? [])).toEqual({ "x-tenant": "t" });
});

test("an error has Connect's name and status, our reason in its details", async () => {
  front.run = undefined;
  const answer = await ask("/sidestep.v1.Runs/Get", { body: `{"runId": "${someRun}"}` });
  expect(answer.status).toBe(404);
  expect(answer.json()).toMatchObject({
    code: "not_found",
    message: expect.stringContaining(someRun) as string,
    details: [{ type: "google.rpc.ErrorInfo", debug: { reason: "RUN_NOT_FOUND", domain: "sidestep" } }],
  });
});

test("docs/api.md shows the answer to its own request", async () => {
  const page = readFileSync(path.join(repositoryRoot, "docs/api.md"), "utf8");
  const [, at = "", body = ""] = /^curl localhost:7420(\S+) [^]*?-d '([^']+)'/m.exec(page) ?? [];
  const [, shown = ""] = /^```json\n([^]*?)^```$/m.exec(page) ?? [];
  front.run = undefined;
  expect((await ask(at, { body })).json()).toEqual(JSON.parse(shown));
});

test.each([
  [
    "no JSON",
    '{"runId": "a",, }',
    400,
    "invalid_argument",
    /no JSON: it goes wrong at position 14 \(line 1 column 15\)/,
  ],
  ["half of it", '{"runId": "secr', 400, "invalid_argument", /it goes wrong at position 15/],
  ["an unknown field", '{"runIdd": "a"}', 400, "invalid_argument", /no sidestep\.v1\.GetRunRequest: .*runIdd/],
  ["a field of another type", '{"runId": 7}', 400, "invalid_argument", /GetRunRequest\.run_id/],
  ["a list", "[]", 400, "invalid_argument", /no sidestep\.v1\.GetRunRequest/],
] as const)("%s as a request is told where it is wrong", async (_, body, status, name, message) => {
  const answer = await ask("/sidestep.v1.Runs/Get", { body });
  expect(answer.status).toBe(status);
  expect(answer.json()).toMatchObject({ code: name, message: expect.stringMatching(message) as string });
  expect(answer.text).not.toContain("secr");
});

test.each<readonly [string, string, Asking, number, string]>([
  ["an rpc that isn't there", "/sidestep.v1.Runs/Nothing", {}, 501, "unimplemented"],
  [
    "a stream in both directions",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    {},
    501,
    "unimplemented",
  ],
  ["another path", "/somewhere", {}, 404, "not_found"],
  ["GET of a unary rpc", "/sidestep.v1.Runs/Get", { method: "GET" }, 405, "unimplemented"],
  ["GET of a workflow", `/${workflow}`, { method: "GET" }, 405, "unimplemented"],
  ["a form", "/sidestep.v1.Runs/Get", { headers: { "content-type": "text/plain" } }, 415, "invalid_argument"],
  ["a compressed body", "/sidestep.v1.Runs/Get", { headers: { "content-encoding": "gzip" } }, 415, "invalid_argument"],
  ["a body over the limit", "/sidestep.v1.Runs/Get", { body: Buffer.alloc(80_000, " ") }, 413, "resource_exhausted"],
  [
    "a timeout that is none",
    "/sidestep.v1.Runs/Get",
    { headers: { "connect-timeout-ms": "-1" } },
    400,
    "invalid_argument",
  ],
  [
    "a page of elsewhere",
    "/sidestep.v1.Runs/Get",
    { headers: { origin: "https://evil.test" } },
    403,
    "permission_denied",
  ],
  ["a page of a sandbox", "/sidestep.v1.Runs/Get", { headers: { origin: "null" } }, 403, "permission_denied"],
  [
    "an image of elsewhere",
    "/sidestep.v1.Runs/Follow",
    { method: "GET", headers: { "sec-fetch-site": "cross-site" } },
    403,
    "permission_denied",
  ],
  [
    "a name that was made to point here",
    "/sidestep.v1.Runs/Get",
    { headers: { host: "evil.test", origin: "http://evil.test" } },
    403,
    "permission_denied",
  ],
])("%s is refused", async (_, at, asking, status, name) => {
  const answer = await ask(at, asking);
  expect([answer.status, answer.json()]).toMatchObject([status, { code: name }]);
});

test("a page of the same origin may call", async () => {
  const origin = `http://127.0.0.1:${server.port}`;
  const headers = { origin, "sec-fetch-site": "same-origin" };
  expect((await ask("/sidestep.v1.Definitions/List", { headers })).status).toBe(200);
});

test("an rpc that outlives connect-timeout-ms is told so", async () => {
  const waiting = fakeFront();
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry(workflow)]);
  await using other = await openTestServer(waiting, definitions);
  const at = `http://127.0.0.1:${other.port}/${workflow}`;
  const headers = { "content-type": "application/json", "connect-timeout-ms": "300" };
  const answer = await fetch(at, { method: "POST", headers, body: "{}" });
  expect([answer.status, await answer.json()]).toMatchObject([504, { code: "deadline_exceeded" }]);
});

const parts = ["a", "b", "c"].map((one) => Buffer.from(one));

function yielding(state: Run_State): void {
  front.yielding = (from) =>
    Promise.resolve(
      from < parts.length
        ? { kind: "yields", first: from, messages: parts.slice(from) }
        : {
            kind: "ended",
            ended: {
              state,
              response: new Uint8Array(),
              responsePayload: undefined,
              status: state === Run_State.COMPLETED ? undefined : { code: 9, message: "no", details: [] },
              step: "a",
            },
          },
    );
}

test("a stream is a line a message; its failure is the last line", async () => {
  yielding(Run_State.FAILED);
  const answer = await ask("/sidestep.v1.Runs/Follow", { body: `{"runId": "${someRun}", "from": "1"}` });
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/x-ndjson; charset=utf-8");
  const lines = answer.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(lines.slice(0, 2)).toEqual([
    { number: "1", message: "Yg==" },
    { number: "2", message: "Yw==" },
  ]);
  expect(lines[2]).toMatchObject({ error: { code: "failed_precondition", message: "no" } });
  expect(lines).toHaveLength(3);
});

test("an EventSource gets events with ids, and goes on after the last it has seen", async () => {
  yielding(Run_State.COMPLETED);
  const at = `/sidestep.v1.Runs/Follow?message=${encodeURIComponent(`{"runId":"${someRun}"}`)}`;
  const headers = { accept: "text/event-stream" };
  const answer = await ask(at, { method: "GET", headers });
  expect(answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  expect(answer.text).toBe(
    'id: 0\ndata: {"message":"YQ=="}\n\nid: 1\ndata: {"number":"1","message":"Yg=="}\n\n' +
      'id: 2\ndata: {"number":"2","message":"Yw=="}\n\nevent: end\ndata: {}\n\n',
  );
  const resumed = await ask(at, { method: "GET", headers: { ...headers, "last-event-id": "1" } });
  expect(resumed.text).toBe('id: 2\ndata: {"number":"2","message":"Yw=="}\n\nevent: end\ndata: {}\n\n');
});

test("a client that goes ends its stream", async () => {
  const gone = Promise.withResolvers<void>();
  front.yielding = (_from, signal) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        gone.resolve();
        resolve({ kind: "aborted" });
      });
    });
  const leaving = new AbortController();
  const at = `http://127.0.0.1:${server.port}/sidestep.v1.Runs/Follow`;
  const body = `{"runId": "${someRun}"}`;
  await fetch(at, { method: "POST", headers: { "content-type": "application/json" }, body, signal: leaving.signal });
  leaving.abort();
  await expect(gone.promise).resolves.toBeUndefined();
});

test.each([
  ["says nothing", ""],
  ["never ends its headers", "POST /sidestep.v1.Runs/Get HTTP/1.1\r\nhost: localhost\r\n"],
  [
    "never ends its body",
    "POST /sidestep.v1.Runs/Get HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  ],
])("a client that %s is let go", async (_, sent) => {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(sent === "" ? "P" : sent);
  socket.resume();
  expect(await once(socket, "close")).toBeDefined();
});

test("the first bytes may come one by one", async () => {
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  for (const one of "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n") socket.write(one);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 302 /);
  socket.destroy();
});

test("sources name the folder that the console is built in before it is; a bundle without one names none", () => {
  const at = (file: string): string => new URL(file, pathToFileURL(`${folder}/`)).href;
  expect(findConsole(at("orchestrator/src/frontDoor.ts"))).toBe(path.join(folder, "console", "dist", "/"));
  expect(findConsole(at("clone/dist/orchestrator.js"))).toBeUndefined();
});

test("the console is served under a strict policy: hashed files for ever, its page for every path of it", async () => {
  const get = (at: string, headers = {}) => ask(at, { method: "GET", headers });
  expect((await get("/")).headers.location).toBe("/console/");
  for (const at of ["/console/", "/console/runs/0198c0ff?tab=history", "/console/%2e%2e%2fsecret", "/console/.env"]) {
    const page = await get(at);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining("<title>console</title>") as string });
    expect(page.headers["cache-control"]).toBe("no-cache");
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'self';.*frame-ancestors 'none'$/);
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
  }
  const asset = await get("/console/assets/main-1a2b.js", { "accept-encoding": "gzip" });
  expect(asset).toMatchObject({ status: 200 });
  expect(asset.headers).toMatchObject({
    "cache-control": "public, max-age=31536000, immutable",
    "content-encoding": "gzip",
    "content-type": "text/javascript; charset=utf-8",
  });
  expect((await get("/console/assets/gone.js")).status).toBe(404);
  expect((await ask("/console/")).status).toBe(405);
});

test("without a built console its page says how to build it", async () => {
  await using other = await openTestServer(fakeFront(), fakeDefinitions(contract));
  const answer = await fetch(`http://127.0.0.1:${other.port}/`);
  expect(answer.status).toBe(404);
  expect(await answer.text()).toContain("npm run build");
});

test("a drain sends waiting callers away, and ends when they are", async () => {
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry(workflow)]);
  const waiting = fakeFront();
  await using other = await openTestServer(waiting, definitions);
  const at = `http://127.0.0.1:${other.port}/${workflow}`;
  const asked = fetch(at, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  await waiting.waited;
  await other.drain();
  const answer = await asked;
  expect([answer.status, await answer.json()]).toMatchObject([503, { code: "unavailable" }]);
});
