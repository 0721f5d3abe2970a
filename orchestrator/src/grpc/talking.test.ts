import { setImmediate as nextTurn } from "node:timers/promises";
import { Metadata, status } from "@grpc/grpc-js";
import type { Client, ServiceError } from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import { SignalRunRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import { makeExpression } from "../engine/testing/expression.ts";
import { makePlan, someRun } from "./testing.ts";
import { approve, ask, detailsOf, flow, key, openTalk, status1, text } from "./testing/talk.ts";
import type { Open } from "./testing/talk.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());
const open = (streaming = false): Promise<Open> => openTalk(closing, streaming);

test("a signal's bytes reach the run of its key, and the answer, an empty response, names the run", async () => {
  const { front, send } = await open();
  front.run = {};
  const told = await send(approve, text("o-1"), { "idempotency-key": "s-1" });
  expect(told).toMatchObject({ code: status.OK, runId: someRun, bytes: Buffer.alloc(0) });
  expect(front.requests).toEqual([
    { kind: "signal", event: { name: "approved", payload: text("o-1"), requestId: "s-1", actor: "" } },
  ]);
});

test("a signal of a wrong type, to no run or to a version without it is refused before anything is written", async () => {
  const { front, send } = await open();
  front.run = {};
  expect(await send(approve, Uint8Array.of(0x0a, 0xff))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "WRONG_TYPE",
  });
  expect(await send(approve, new Uint8Array())).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "INVALID_REQUEST",
  });
  expect(await send(approve, new Uint8Array(1001))).toMatchObject({ reason: "TOO_LARGE" });
  front.plan = makePlan();
  expect(await send(approve, text("o-1"))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: "NOT_IN_VERSION",
  });
  front.run = undefined;
  expect(await send(approve, text("o-1"))).toMatchObject({ code: status.NOT_FOUND, reason: "RUN_NOT_FOUND" });
  expect(front.requests).toEqual([]);
});

test("what is sent to a run is taken at the limit of payloads, and refused one byte over it", async () => {
  const { front, send } = await open();
  front.run = {};
  const sized = (low: number, count: number) => Buffer.concat([Buffer.of(0x0a, low, 0x07), Buffer.alloc(count, "o")]);
  expect(await send(approve, sized(0xe5, 997))).toMatchObject({ code: status.OK });
  const told = front.requests.length;
  expect(await send(approve, sized(0xe6, 998))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    reason: "TOO_LARGE",
    metadata: { limit: "payload-bytes-max", size_bytes: "1001", limit_bytes: "1000" },
  });
  expect(front.requests).toHaveLength(told);
});

test.each([
  ["DUPLICATE", status.OK, ""],
  ["", status.FAILED_PRECONDITION, "RUN_ENDED"],
  ["SIGNAL_LIMIT", status.RESOURCE_EXHAUSTED, "SIGNAL_LIMIT"],
])("a signal that the run refuses with '%s' is answered with code %i", async (refusal, code, reason) => {
  const { front, send } = await open();
  front.run = {};
  front.requested = { kind: "done", ignored: true, refusal };
  expect(await send(approve, text("o-1"))).toMatchObject({ code, reason });
});

test("signals to one key are stored in the order of their arrival, whichever is looked up first", async () => {
  const { front, send } = await open();
  front.run = {};
  const find = front.find.bind(front);
  const slow = Promise.withResolvers<void>();
  let finds = 0;
  front.find = async (...about) => {
    if (finds++ === 0) await slow.promise;
    return find(...about);
  };
  const both = [
    send(approve, text("o-1"), { "idempotency-key": "1" }),
    send(approve, text("o-1"), { "idempotency-key": "2" }),
  ];
  await expect.poll(() => finds).toBe(1);
  slow.resolve();
  await Promise.all(both);
  expect(front.requests.map(({ event }) => event.requestId)).toEqual(["1", "2"]);
});

test("a signal that may start its run starts it, and goes to the one that was started meanwhile by another", async () => {
  const { front, definitions, send } = await open();
  const start = makeExpression("kept", "input", "start");
  definitions.plan = makePlan({
    signals: [{ name: "approved", type: "google.protobuf.StringValue", method: approve, key, start }],
  });
  front.run = undefined;
  expect(await send(approve, text("o-1"))).toMatchObject({ code: status.OK, runId: someRun });
  expect(front.starts).toMatchObject([{ request: new Uint8Array(text("o-1")) }]);
  front.startResult = () => {
    front.run = {};
    return { kind: "conflict", runId: someRun };
  };
  expect(await send(approve, text("o-1"))).toMatchObject({ code: status.OK, runId: someRun });
  expect(front.requests).toHaveLength(2);
});

test("Runs.Signal reaches a run by its id or its key, with the id that is given or the caller's header", async () => {
  const { front, runs } = await open();
  front.run = {};
  const signal = (more: Partial<SignalRunRequest>) =>
    ask(runs.signal.bind(runs), SignalRunRequest.fromPartial({ name: "told", payload: text("x"), ...more }));
  expect(await signal({ runId: someRun, signalId: "a" })).toMatchObject({
    code: status.OK,
    response: { runId: someRun },
  });
  expect(await signal({ workflow: flow, key: "o-1", signalId: "b" })).toMatchObject({ code: status.OK });
  expect(front.requests.map(({ event }) => event.requestId)).toEqual(["a", "b"]);
  expect(await signal({ runId: someRun, name: "nobody" })).toMatchObject({ reason: "NOT_IN_VERSION" });
  expect(await signal({ runId: someRun, payload: Buffer.of(0x0a) })).toMatchObject({ reason: "WRONG_TYPE" });
  expect(await signal({})).toMatchObject({ reason: "INVALID_RUN_ID" });
});

test("a query is answered from the run; where it can't be, with what stands in the way", async () => {
  const { front, send } = await open();
  front.run = {};
  front.queryAnswer = { kind: "answer", response: text("fine") };
  expect(await send(status1, text("o-1"))).toMatchObject({ code: status.OK, bytes: text("fine"), runId: someRun });
  front.queryAnswer = { kind: "failed", message: "output: no such step" };
  expect(await send(status1, text("o-1"))).toMatchObject({ code: status.INTERNAL, reason: "EXPRESSION" });
  front.queryAnswer = { kind: "noQuery" };
  expect(await send(status1, text("o-1"))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: "NOT_IN_VERSION",
  });
  expect(await send(status1, Uint8Array.of(0x0a))).toMatchObject({ reason: "WRONG_TYPE" });
  front.run = undefined;
  expect(await send(status1, text("o-1"))).toMatchObject({ code: status.NOT_FOUND, reason: "RUN_NOT_FOUND" });
});

/** What a stream brought: messages, its headers and how it ended. */
interface Streamed {
  readonly messages: readonly Buffer[];
  readonly from: string;
  readonly next: string;
  readonly code: number;
  readonly reason: string;
}

function stream(client: Client, headers: Readonly<Record<string, string>> = {}): Promise<Streamed> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeServerStreamRequest(`/${flow}`, same, same, text("o-1"), metadata);
  const messages: Buffer[] = [];
  let from = "";
  call.on("metadata", (got) => (from = String(got.get("sidestep-from")[0] ?? "")));
  call.on("data", (bytes: Buffer) => messages.push(bytes));
  return new Promise((resolve) => {
    let error: ServiceError | null = null;
    call.on("error", (given: ServiceError) => (error = given));
    call.on("status", (end) => {
      const next = String(end.metadata.get("sidestep-next")[0] ?? "");
      setImmediate(() => resolve({ messages, from, next, code: end.code, reason: detailsOf(error).reason }));
    });
  });
}

test("a streaming workflow's messages come from the number that is asked for, and it ends as its run", async () => {
  const { front, client } = await open(true);
  const all = ["a", "b", "c"].map(text);
  front.yielding = (from) =>
    Promise.resolve(
      from < all.length
        ? { kind: "yields", first: from, messages: all.slice(from, from + 2) }
        : {
            kind: "ended",
            ended: { state: 4, response: new Uint8Array(), responsePayload: undefined, status: undefined, step: "" },
          },
    );
  expect(await stream(client)).toEqual({ messages: all, from: "0", next: "3", code: status.OK, reason: "" });
  expect(await stream(client, { "sidestep-from": "2" })).toMatchObject({ messages: [all[2]], from: "2", next: "3" });
  expect(await stream(client, { "sidestep-from": "-1" })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "INVALID_OFFSET",
  });
});

test("messages that are not kept any more are out of range, and a run that failed ends its stream with its failure", async () => {
  const { front, client } = await open(true);
  front.yielding = () => Promise.resolve({ kind: "yields", first: 5, messages: [text("x")] });
  expect(await stream(client)).toMatchObject({ messages: [], code: status.OUT_OF_RANGE, reason: "YIELDS_GONE" });
  front.yielding = () =>
    Promise.resolve({
      kind: "ended",
      ended: {
        state: 5,
        response: new Uint8Array(),
        responsePayload: undefined,
        status: { code: 9, message: "no", details: [] },
        step: "a",
      },
    });
  expect(await stream(client)).toMatchObject({ code: status.FAILED_PRECONDITION, reason: "FAILED" });
});

const messageBytes = 64 * 1024;

/** An endless stream of large messages, and how many of them were asked for. */
function endless({ front }: Open): { asked: number } {
  const count = { asked: 0 };
  front.yielding = async (from) => {
    await nextTurn();
    count.asked = from + 1;
    return { kind: "yields", first: from, messages: [Buffer.alloc(messageBytes)] };
  };
  return count;
}

test("a caller that reads slowly is never fed far ahead, and others are answered meanwhile", async () => {
  const opened = await open(true);
  const { client, send, front } = opened;
  front.run = {};
  const count = endless(opened);
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeServerStreamRequest(`/${flow}`, same, same, text("o-1"));
  let read = 0;
  for await (const message of call) {
    expect(message).toHaveLength(messageBytes);
    read++;
    expect(await send(approve, text("o-1"))).toMatchObject({ code: status.OK });
    // The client's library keeps 16 messages, each side one window of HTTP/2, the orchestrator its 256 KiB.
    expect(count.asked - read).toBeLessThan(40);
    if (read === 150) break;
  }
  expect(read).toBe(150);
});

test("a caller that goes without having read ends its stream's work", async () => {
  const opened = await open(true);
  const { client } = opened;
  const count = endless(opened);
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeServerStreamRequest(`/${flow}`, same, same, text("o-1"));
  const gone = new Promise((resolve) => call.on("status", resolve));
  call.on("error", () => undefined);
  call.once("data", () => call.pause());
  await expect.poll(() => count.asked).toBeGreaterThan(4);
  call.cancel();
  await gone;
  // On the same connection: what is answered shows that the server has seen the cancel before it.
  const other = () => stream(client, { "sidestep-from": "-1" });
  expect(await other()).toMatchObject({ reason: "INVALID_OFFSET" });
  const { asked } = count;
  await other();
  expect(count.asked).toBe(asked);
});
