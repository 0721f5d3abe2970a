import { assert, nat, option, property, string, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { RetryInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseAckSubject } from "./delivery.ts";
import { parseFile, servicesOf, servicesOfSet } from "./descriptors.ts";
import type { ExposedService } from "./exposure.ts";
import { exposed, refusalOf } from "./exposure.ts";
import { retryAfterMs } from "./retryAfter.ts";
import { decodeTask } from "./taskBytes.ts";
import { readTask } from "./taskMessage.ts";

const bytes = uint8Array({ maxLength: 200 });

test("bytes of any kind are a task or garbage with a reason, never an error", () => {
  assert(
    property(bytes, (any) => {
      const reading = readTask(any);
      expect(reading.kind === "garbage" ? reading.reason : reading.task.key).not.toBe("");
    }),
  );
});

test("a task with any of its bytes changed, cut away or put in is one that says all it must, or garbage", () => {
  const whole = Task.encode({
    ...Task.decode(new Uint8Array()),
    runId: new Uint8Array(16).fill(7),
    attempt: { step: "pay", generation: 1, phase: AttemptId_Phase.FORWARD, attempt: 2 },
    token: new Uint8Array(32).fill(9),
    method: "shop.v1.Orders/Place",
    headers: [{ key: "a", value: new Uint8Array([1]), secret: "" }],
    requestPayload: { service: "_", id: "ab", chunks: 3, sizeBytes: 1_000_000, runId: "cd", key: new Uint8Array() },
  }).finish();
  const place = nat(whole.length);
  assert(
    property(place, place, uint8Array({ maxLength: 8 }), (from, to, more) => {
      const reading = readTask(Buffer.concat([whole.subarray(0, from), more, whole.subarray(to)]));
      const service = reading.kind === "task" ? reading.task.service : "garbage";
      const runId = reading.kind === "task" ? reading.task.runId : "0".repeat(32);
      expect(service).toMatch(/^[A-Za-z_][\w.]*$/);
      expect(runId).toMatch(/^[0-9a-f]{32}$/);
    }),
  );
  expect(readTask(whole).kind).toBe("task");
});

test("a task is read as protobuf reads it, or refused, whichever of its bytes is changed, cut away or put in", () => {
  const whole = Task.encode({
    runId: new Uint8Array(16).fill(7),
    partition: 3,
    attempt: { step: "pay", generation: 1, phase: AttemptId_Phase.COMPENSATE, attempt: 2 },
    method: "shop.v1.Orders/Place",
    request: new Uint8Array(90).fill(1),
    headers: [
      { key: "a", value: new Uint8Array([1]), secret: "" },
      { key: "é", value: new Uint8Array(), secret: "token" },
      { key: "a".repeat(200), value: new Uint8Array(200), secret: "" },
    ],
    timeoutMs: 2 ** 32 - 1,
    token: new Uint8Array(32).fill(9),
    issuedAtSequence: 2 ** 40,
    issuedAtMs: 1.5e12,
    recheck: true,
    claim: true,
    serverStreaming: true,
    messagesMax: 7,
    bytesMax: 2 ** 33,
    requestPayload: { service: "_", id: "ab", chunks: 3, sizeBytes: 1_000_000, runId: "cd", key: new Uint8Array() },
    inlineBytesMax: 8,
    plan: new Uint8Array(32).fill(5),
  }).finish();
  const known = (task: Task): string => JSON.stringify(Task.toJSON(task));
  expect(known(decodeTask(Buffer.from(whole)))).toEqual(known(Task.decode(Buffer.from(whole))));
  const place = nat(whole.length);
  const small = nat(8);
  assert(
    property(place, small, uint8Array({ maxLength: 8 }), (from, cut, more) => {
      const changed = Buffer.concat([whole.subarray(0, from), more, whole.subarray(from + cut)]);
      let task: Task;
      try {
        task = decodeTask(changed);
      } catch {
        return;
      }
      expect(known(task)).toEqual(known(Task.decode(changed)));
    }),
    { numRuns: 2_000 },
  );
});

test("details of any kind say a pause or nothing, never an error", () => {
  assert(
    property(bytes, option(string(), { nil: undefined }), (details, pushback) => {
      const pause = retryAfterMs(details, pushback);
      expect(pause === undefined || Number.isFinite(pause)).toBe(true);
    }),
  );
});

test("a RetryInfo is found among other details", () => {
  const about = (typeUrl: string, value: Uint8Array) => ({ typeUrl: `type.googleapis.com/${typeUrl}`, value });
  const retry = RetryInfo.encode({ retryDelay: { seconds: 1n, nanos: 500_000_000 } }).finish();
  const status = {
    code: 14,
    message: "",
    details: [about("shop.v1.Thing", new Uint8Array([255])), about("google.rpc.RetryInfo", retry)],
  };
  expect(retryAfterMs(RpcStatus.encode(status).finish(), undefined)).toBe(1_500);
  expect(retryAfterMs(RpcStatus.encode({ ...status, details: [] }).finish(), undefined)).toBeUndefined();
});

test("subjects and descriptors of any kind are read or refused", () => {
  const outcome = (any: Uint8Array): string => {
    try {
      return `${servicesOf([parseFile(any)]).length + servicesOfSet(any).length} services`;
    } catch (error) {
      return error instanceof Error ? "refused" : "something else";
    }
  };
  assert(property(string(), (any) => void parseAckSubject(any)));
  assert(
    property(bytes, (any) => {
      expect(outcome(any)).toMatch(/services|refused/);
    }),
  );
});

test("what is exposed: all but gRPC's own, or what is named; by name alone when the process tells nothing", () => {
  const found = ["a.A", "b.B", "grpc.health.v1.Health"].map((service) => ({ service, methods: undefined }));
  const names = (wanted: readonly string[], of: typeof found | undefined = found) =>
    exposed(of, wanted).map((one) => one.service);
  expect(names([])).toEqual(["a.A", "b.B"]);
  expect(names(["b.B", "c.C"])).toEqual(["b.B"]);
  expect(names(["grpc.health.v1.Health"])).toEqual([]);
  expect(exposed(undefined, ["c.C"])).toEqual([{ service: "c.C", methods: undefined }]);
  expect(exposed(undefined, [])).toEqual([]);
});

test("a task is refused for another service and for a method of another shape, not for one nobody told of", () => {
  const offered: ExposedService = {
    service: "a.A",
    methods: [
      { name: "Get", kind: "unary", isIdempotent: false },
      { name: "Watch", kind: "serverStreaming", isIdempotent: false },
      { name: "Push", kind: "clientStreaming", isIdempotent: false },
    ],
  };
  expect(refusalOf(offered, "a.A", "Get", false)).toBeUndefined();
  expect(refusalOf(offered, "a.A", "New", false)).toBeUndefined();
  expect(refusalOf(offered, "a.A", "Watch", true)).toBeUndefined();
  expect(refusalOf({ service: "a.A", methods: undefined }, "a.A", "Watch", false)).toBeUndefined();
  expect(refusalOf(offered, "a.A", "Watch", false)).toMatch(/returns a stream/);
  expect(refusalOf(offered, "a.A", "Get", true)).toMatch(/returns one message/);
  expect(refusalOf(offered, "a.A", "Push", false)).toMatch(/takes a stream/);
  expect(refusalOf(offered, "b.B", "Get", false)).toMatch(/not exposed/);
  expect(refusalOf(undefined, "a.A", "Get", false)).toMatch(/not exposed/);
});
