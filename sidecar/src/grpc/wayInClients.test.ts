import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { CallOptions, ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../../test/support/freePort.ts";
import { repositoryRoot } from "../../../test/support/program.ts";
import { pythonWithGrpc } from "../../../test/support/python.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallRequest } from "../ports.ts";
import type { CallAnswer, GiveUp, IncomingCall } from "../wayIn.ts";
import { UnaryClient } from "./unaryClient.ts";
import { openWayIn } from "./wayInServer.ts";
import type { WayIn } from "./wayInServer.ts";

// The way in as clients see it that are none of ours, and as ours does.

const bytesMax = 4 * 1024 * 1024;
const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const givenUp: string[] = [];
let address: string;
let wayIn: WayIn;

beforeAll(async () => {
  address = `127.0.0.1:${await freePort()}`;
  const at = { text: address, address };
  wayIn = closing.use(
    await openWayIn({ at, requestBytesMax: bytesMax, isServing: () => true, log: silentLog, carry: carried }),
  );
});

function carried({ method, request, headers }: IncomingCall, answer: CallAnswer): GiveUp {
  const seen = new Map(headers.map(({ key, value }) => [key, Buffer.from(value)]));
  switch (method) {
    case "a.B/Never":
      return (why) => givenUp.push(why);
    case "a.B/Fail":
      answer.end({ ...failedEnd(9, "not, now: 100 %"), details: Uint8Array.of(8, 9) });
      return () => undefined;
    case "a.B/Stream":
      void (async () => {
        for (let count = 0; count < 20; count++) await answer.message(Buffer.alloc(300_000, count));
        answer.end(failedEnd(0, ""));
      })();
      return () => undefined;
    default:
      answer.headers(
        new Map([
          ["x-seen-number", seen.get("x-number")?.toString() ?? ""],
          ["x-seen-raw", seen.get("x-raw-bin")?.toString("hex") ?? ""],
          ["x-seen-twice", seen.get("x-twice")?.toString() ?? ""],
        ]),
      );
      void answer.message(request);
      answer.end(failedEnd(0, ""));
      return () => undefined;
  }
}

test("gRPC's C core, in Python: sizes, headers that come and go, many at a time, status, deadline, cancel, gzip", async () => {
  const script = path.join(repositoryRoot, "sidecar/testdata/echo/caller.py");
  const { stdout } = await promisify(execFile)(pythonWithGrpc(), [script, address]);
  expect(stdout.trim().split("\n")).toEqual([
    "sizes",
    "headers",
    "many",
    "status FAILED_PRECONDITION not, now: 100 % 0809",
    "late DEADLINE_EXCEEDED",
    "left CANCELLED",
    "gzip",
  ]);
});

const raw = (bytes: Buffer): Buffer => bytes;

function asked(client: Client, body: Buffer, metadata = new Metadata(), options: CallOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest("/a.B/Echo", raw, raw, body, metadata, options, (error, answer) =>
      error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
    );
  });
}

test("grpc-js: large messages, deadlines that differ call by call, many at a time", async () => {
  const client = new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  closing.defer(() => client.close());
  for (const size of [0, 1, 70_000, bytesMax]) {
    const body = Buffer.alloc(size, "abc");
    expect((await asked(client, body)).equals(body)).toBe(true);
  }
  await expect(asked(client, Buffer.alloc(bytesMax + 1))).rejects.toMatchObject({ code: 8 });
  const bodies = Array.from({ length: 400 }, (_, index) => Buffer.alloc(index * 31, index));
  const all = bodies.map(async (body, index) => {
    const metadata = new Metadata();
    metadata.set("x-number", String(index));
    expect((await asked(client, body, metadata, { deadline: Date.now() + 20_000 + index })).equals(body)).toBe(true);
  });
  await Promise.all(all);
});

test("grpc-js: a stream that its reader takes slowly", async () => {
  const client = new Client(address, credentials.createInsecure());
  closing.defer(() => client.close());
  const stream = client.makeServerStreamRequest("/a.B/Stream", raw, raw, Buffer.alloc(0));
  const came: number[] = [];
  for await (const message of stream) {
    if (!Buffer.isBuffer(message)) throw new TypeError("no bytes came");
    came.push(message[message.length - 1] ?? -1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(came).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test("grpc-js: a call that its caller leaves is given up", async () => {
  const client = new Client(address, credentials.createInsecure());
  closing.defer(() => client.close());
  const before = givenUp.length;
  const failed = new Promise<ServiceError | null>((resolve) => {
    const call = client.makeUnaryRequest("/a.B/Never", raw, raw, Buffer.alloc(0), (error) => resolve(error));
    call.on("metadata", () => undefined);
    setImmediate(() => call.cancel());
  });
  expect(await failed).toMatchObject({ code: 1 });
  expect(await asked(client, Buffer.from("next"))).toEqual(Buffer.from("next"));
  // It may have been left before it was sent.
  expect(givenUp.slice(before).every((why) => why === "gone")).toBe(true);
});

function toRequest(rest: Partial<CallRequest>): CallRequest {
  const named = { service: "a.B", method: "a.B/Echo" };
  return { ...named, body: Buffer.alloc(0), headers: [], timeoutMs: 20_000, stream: undefined, ...rest };
}

test("our own client, and the end of a drained way in", async () => {
  const client = new UnaryClient({ text: address, address }, undefined);
  closing.use(client);
  const bodies = [Buffer.alloc(0), Buffer.from("hi"), Buffer.alloc(bytesMax, "xyz")];
  for (const body of bodies) {
    const ending = await client.call(toRequest({ body })).ending;
    expect(ending.kind === "answered" && Buffer.compare(ending.response, body)).toBe(0);
  }
  const headers = [{ key: "x-raw-bin", value: Uint8Array.of(0, 255) }];
  const many = Array.from({ length: 1_500 }, () => client.call(toRequest({ body: Buffer.alloc(100), headers })).ending);
  expect(new Set((await Promise.all(many)).map(({ kind }) => kind))).toEqual(new Set(["answered"]));
  const stuck = client.call(toRequest({ method: "a.B/Never", timeoutMs: 300 })).ending;
  const drained = wayIn.drain(10_000);
  expect(await stuck).toMatchObject({ kind: "failed", code: 4 });
  await drained;
  expect(await client.call(toRequest({ timeoutMs: 2_000 })).ending).toMatchObject({ kind: "failed", code: 14 });
});
