import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Task } from "../gen/sidestep/internal/v1/task.ts";
import { TaskEncoder } from "./taskBytes.ts";
import type { TaskText } from "./taskBytes.ts";

const { toBytes } = new TaskEncoder();
const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 150 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 150 }),
);
const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
const uint64 = fc.oneof(fc.nat(300), fc.nat(Number.MAX_SAFE_INTEGER));
const task: fc.Arbitrary<TaskText> = fc.record({
  runId: bytes,
  partition: uint32,
  attempt: fc.option(fc.record({ step: text, generation: uint32, phase: fc.constantFrom(0, 1, 2), attempt: uint32 }), {
    nil: undefined,
  }),
  method: text,
  request: fc.oneof(bytes, fc.uint8Array({ minLength: 1_000, maxLength: 3_000 })),
  headers: fc.array(fc.oneof(fc.record({ key: text, value: text }), fc.record({ key: text, secret: text })), {
    maxLength: 8,
  }),
  timeoutMs: uint32,
  token: bytes,
  issuedAtSequence: uint64,
  issuedAtMs: fc.double({ noNaN: true }),
  recheck: fc.boolean(),
  claim: fc.boolean(),
  serverStreaming: fc.boolean(),
  messagesMax: uint32,
  bytesMax: uint64,
  requestPayload: fc.option(
    fc.record({ service: text, id: text, chunks: uint32, sizeBytes: uint64, runId: text, key: bytes }),
    { nil: undefined },
  ),
  inlineBytesMax: uint32,
  plan: bytes,
});

/** The same by the generated code. */
function generated(made: TaskText): Uint8Array {
  const headers = made.headers.map((header) => ({
    key: header.key,
    value: Buffer.from("value" in header ? header.value : ""),
    secret: "secret" in header ? header.secret : "",
  }));
  return Task.encode({ ...made, headers }).finish();
}

test("the bytes are those that the generated code makes", () => {
  fc.assert(
    fc.property(task, (made) => {
      expect(Buffer.from(toBytes(made)).toString("hex")).toBe(Buffer.from(generated(made)).toString("hex"));
    }),
    { numRuns: 500 },
  );
});

test("a large task is made as well, and small ones after it", () => {
  const [small] = fc.sample(task, 1);
  if (small === undefined) throw new Error("fast-check makes one");
  const large = { ...small, request: new Uint8Array(3 << 20).fill(7), method: "é".repeat(100_000) };
  expect(Buffer.compare(toBytes(large), generated(large))).toBe(0);
  expect(Buffer.compare(toBytes(small), generated(small))).toBe(0);
});

test("no field of the message is left out here", () => {
  const known = Object.keys(Task.decode(new Uint8Array())).filter((name) => name !== "_unknownFields");
  const [made] = fc.sample(task, 1);
  expect(Object.keys(made ?? {}).toSorted()).toEqual(known.toSorted());
});
