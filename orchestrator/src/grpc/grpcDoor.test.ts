import { once } from "node:events";
import { createServer } from "node:net";
import { connect } from "node:http2";
import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import { deflateSync, gzipSync } from "node:zlib";
import { Client, compressionAlgorithms, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream, ServerDuplexStream } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLog } from "../../../runtime/src/log.ts";
import { callFrame } from "../../../runtime/src/grpc/callFrames.ts";
import { newAudit } from "./audit.ts";
import { toServiceError } from "./failure.ts";
import { openGrpcDoor } from "./grpcDoor.ts";
import type { GrpcDoor } from "./grpcDoor.ts";
import { openRpcs } from "./rpcs.ts";
import { fakeAudit } from "./testing.ts";

const bytesMax = 2_000_000;
const raw = (bytes: Buffer): Buffer => bytes;
const seen: string[] = [];
const closing = new DisposableStack();
let door: GrpcDoor;
let address: string;

beforeAll(async () => {
  const rpcs = openRpcs({ admit: undefined, audit: newAudit(fakeAudit(), Date.now) });
  const forms = { serialize: raw, deserialize: raw };
  rpcs.addUnary<Buffer, Buffer>({
    ...forms,
    path: "/a.B/Echo",
    handler: (call, answer) => {
      const metadata = new Metadata();
      metadata.set("x-seen", String(call.metadata.get("x-own")[0] ?? ""));
      call.sendMetadata(metadata);
      answer(null, call.request);
    },
  });
  rpcs.addUnary<Buffer, Buffer>({
    ...forms,
    path: "/a.B/Never",
    handler: (call) => {
      seen.push("begun");
      call.on("cancelled", () => seen.push("left"));
    },
  });
  rpcs.addUnary<Buffer, Buffer>({
    ...forms,
    deserialize: () => {
      throw new Error("that is no message");
    },
    path: "/a.B/Unreadable",
    handler: (call, answer) => answer(null, call.request),
  });
  rpcs.addStream<Buffer, Buffer>({
    ...forms,
    path: "/a.B/Count",
    handler: (call) => {
      for (let count = 0; count < 30; count++) call.write(Buffer.alloc(50_000, count));
      const failure = { code: 9, message: "no more, or less", reason: "ENOUGH" };
      if (call.request.length > 0) call.emit("error", toServiceError(failure));
      else call.end();
    },
  });
  rpcs.addBidi<Buffer, Buffer>({
    ...forms,
    path: "/a.B/Talk",
    handler: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (bytes: Buffer) => void call.write(Buffer.concat([Buffer.from("> "), bytes])));
      call.on("end", () => call.end());
    },
  });
  rpcs.addBidi<Buffer, Buffer>({ ...forms, path: "/a.B/Deaf", handler: () => undefined });
  door = openGrpcDoor({ rpcs, messageBytesMax: bytesMax, log: silentLog });
  const server = createServer((socket) => door.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  address = `127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
  closing.defer(() => void server.close());
  closing.defer(() => door[Symbol.dispose]());
});

afterAll(() => closing.dispose());

function openClient(options = {}): Client {
  const client = new Client(address, credentials.createInsecure(), options);
  closing.defer(() => client.close());
  return client;
}

function asked(client: Client, method: string, body: Buffer, timeoutMs = 20_000): Promise<Buffer> {
  const metadata = new Metadata();
  metadata.set("x-own", "1");
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + timeoutMs;
    client.makeUnaryRequest(`/a.B/${method}`, raw, raw, body, metadata, { deadline }, (error, answer) =>
      error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
    );
  });
}

function openSession(): ClientHttp2Session {
  const session = connect(`http://${address}`);
  closing.defer(() => session.destroy());
  return session;
}

/** Headers and trailers of a call, and its bytes. */
async function send(session: ClientHttp2Session, path: string, body: Uint8Array, more: OutgoingHttpHeaders = {}) {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...more };
  const stream = session.request(headers);
  const all: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  for (const event of ["response", "trailers"]) stream.on(event, (came: object) => Object.assign(all, came));
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.end(body);
  await once(stream, "close");
  return { headers: all, body: Buffer.concat(parts) };
}

test("calls are answered, small and large, one after the other and many at a time", async () => {
  const client = openClient({ "grpc.max_receive_message_length": -1 });
  for (const size of [0, 1, 100_000, bytesMax]) {
    const body = Buffer.alloc(size, "abc");
    expect((await asked(client, "Echo", body)).equals(body)).toBe(true);
  }
  const bodies = Array.from({ length: 1_200 }, (_, index) => Buffer.alloc(index, index));
  const answers = await Promise.all(bodies.map((body) => asked(client, "Echo", body)));
  expect(answers.every((answer, index) => answer.equals(bodies[index] ?? Buffer.alloc(1)))).toBe(true);
});

test("a client that compresses is understood, in calls and in talks", async () => {
  for (const algorithm of [compressionAlgorithms.gzip, compressionAlgorithms.deflate]) {
    const client = openClient({ "grpc.default_compression_algorithm": algorithm, "grpc.use_local_subchannel_pool": 1 });
    const body = Buffer.alloc(100_000, "z");
    expect((await asked(client, "Echo", body)).equals(body)).toBe(true);
    const talk = client.makeBidiStreamRequest("/a.B/Talk", raw, raw);
    const words = Array.from({ length: 20 }, (_, index) => `word ${index}`);
    for (const word of words) talk.write(Buffer.from(word));
    talk.end();
    expect(await heard(talk)).toEqual(words.map((word) => `> ${word}`));
  }
});

async function heard(talk: ClientDuplexStream<Buffer, Buffer>): Promise<readonly string[]> {
  const all: string[] = [];
  talk.on("data", (bytes: Buffer) => all.push(bytes.toString()));
  await once(talk, "end");
  return all;
}

test("a talk goes to and fro", async () => {
  const talk = openClient().makeBidiStreamRequest("/a.B/Talk", raw, raw);
  for (const word of ["one", "two"]) {
    talk.write(Buffer.from(word));
    const [answer] = await once(talk, "data");
    expect(String(answer)).toBe(`> ${word}`);
  }
  talk.end();
  const [status] = await once(talk, "status");
  expect(status).toMatchObject({ code: 0 });
});

test("who talks on to a method that does not listen is sent away", async () => {
  const body = Buffer.concat(Array.from({ length: 3_000 }, () => Buffer.from(callFrame(Buffer.from("x")))));
  const { headers } = await send(openSession(), "/a.B/Deaf", body);
  expect(headers).toMatchObject({ "grpc-status": "8" });
});

test("a stream comes whole, and its end says how it went", async () => {
  for (const [body, code, details] of [
    [Buffer.alloc(0), 0, ""],
    [Buffer.alloc(1), 9, "no more, or less"],
  ] as const) {
    const stream = openClient().makeServerStreamRequest("/a.B/Count", raw, raw, body);
    const came: number[] = [];
    stream.on("data", (bytes: Buffer) => came.push(bytes[0] ?? -1));
    stream.on("error", () => undefined);
    const status = await new Promise((resolve) => stream.on("status", resolve));
    expect(came).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect(status).toMatchObject({ code, details });
  }
});

test.each<readonly [string, string, Uint8Array, OutgoingHttpHeaders, Readonly<Record<string, unknown>>]>([
  ["another method", "/a.B/Nothing", callFrame(Buffer.alloc(0)), {}, { "grpc-status": "12" }],
  ["no message", "/a.B/Echo", Buffer.alloc(0), {}, { "grpc-status": "12" }],
  ["half a message", "/a.B/Echo", Uint8Array.of(0, 0, 0, 0, 9, 1), {}, { "grpc-status": "13" }],
  ["half a message in a talk", "/a.B/Talk", Uint8Array.of(0, 0, 0, 0, 9, 1), {}, { "grpc-status": "13" }],
  ["bytes that are no request", "/a.B/Unreadable", callFrame(Buffer.alloc(1)), {}, { "grpc-status": "13" }],
  ["a timeout that is none", "/a.B/Echo", callFrame(Buffer.alloc(0)), { "grpc-timeout": "1" }, { "grpc-status": "13" }],
  ["a large message", "/a.B/Echo", callFrame(Buffer.alloc(bytesMax + 1)), {}, { "grpc-status": "8" }],
  ["a large message in a talk", "/a.B/Talk", callFrame(Buffer.alloc(bytesMax + 1)), {}, { "grpc-status": "8" }],
  ["another encoding", "/a.B/Echo", packed(Buffer.from("x")), { "grpc-encoding": "br" }, { "grpc-status": "12" }],
  [
    "what can't be unpacked",
    "/a.B/Echo",
    packed(Buffer.from("x")),
    { "grpc-encoding": "gzip" },
    { "grpc-status": "13" },
  ],
  [
    "what unpacks to too much",
    "/a.B/Echo",
    packed(gzipSync(Buffer.alloc(bytesMax + 1))),
    { "grpc-encoding": "gzip" },
    { "grpc-status": "13" },
  ],
  ["JSON", "/a.B/Echo", Buffer.from("{}"), { "content-type": "application/json" }, { ":status": 415 }],
])("%s is told", async (_, path, body, more, expected) => {
  expect((await send(openSession(), path, body, more)).headers).toMatchObject(expected);
});

function packed(bytes: Uint8Array): Uint8Array {
  const frame = Buffer.from(callFrame(bytes));
  frame[0] = 1;
  return frame;
}

test("headers come and go, those with raw bytes are nobody's", async () => {
  const { headers, body } = await send(openSession(), "/a.B/Echo", packed(deflateSync(Buffer.from("hi"))), {
    "grpc-encoding": "deflate",
    "content-type": "application/grpc+proto",
    "x-own": "a b",
    "x-own-bin": "AAA=",
  });
  expect(headers).toMatchObject({ ":status": 200, "content-type": "application/grpc", "x-seen": "a b" });
  expect(body).toEqual(Buffer.from(callFrame(Buffer.from("hi"))));
});

test("headers that gRPC does not know are left out, in calls and in talks", async () => {
  const session = openSession();
  for (const path of ["/a.B/Echo", "/a.B/Talk", "/a.B/Count"]) {
    const more = { "x-odd~key": "1", "x-odd": "\u00e4\u0001", "x-own": "good" };
    const { headers } = await send(session, path, callFrame(Buffer.alloc(0)), more);
    expect(headers).toMatchObject({ ":status": 200, "grpc-status": "0" });
  }
});

test("a call ends at its deadline, and when its caller leaves or vanishes its method is told", async () => {
  const client = openClient();
  await expect(asked(client, "Never", Buffer.alloc(0), 100)).rejects.toMatchObject({ code: 4 });
  await expect.poll(() => seen).toEqual(["begun", "left"]);
  const session = openSession();
  const stream = session.request({ ":method": "POST", ":path": "/a.B/Never", "content-type": "application/grpc" });
  stream.end(callFrame(Buffer.alloc(0)));
  await expect.poll(() => seen).toHaveLength(3);
  stream.close();
  await expect.poll(() => seen).toHaveLength(4);
  const other = session.request({ ":method": "POST", ":path": "/a.B/Never", "content-type": "application/grpc" });
  other.on("error", () => undefined);
  other.end(callFrame(Buffer.alloc(0)));
  await expect.poll(() => seen).toHaveLength(5);
  session.destroy();
  await expect.poll(() => seen.slice(2)).toEqual(["begun", "left", "begun", "left"]);
});

test("a deadline is told by the server, too, to a client that has none of its own", async () => {
  const { headers } = await send(openSession(), "/a.B/Never", callFrame(Buffer.alloc(0)), { "grpc-timeout": "50m" });
  expect(headers).toMatchObject({ "grpc-status": "4" });
});

test("a drain answers what is open, closes, and takes no call any more", async () => {
  const session = openSession();
  await once(session, "remoteSettings");
  const waiting = send(session, "/a.B/Never", callFrame(Buffer.alloc(0)), { "grpc-timeout": "200m" });
  const before = seen.length;
  await expect.poll(() => seen.length).toBe(before + 1);
  const drained = door.drain();
  expect((await waiting).headers).toMatchObject({ "grpc-status": "4" });
  await drained;
  expect(session.destroyed).toBe(true);
});
