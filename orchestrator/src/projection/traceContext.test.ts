import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { fromHex } from "../../../proto/wire/runId.ts";
import { attemptSpanId } from "./spanId.ts";
import { attemptTraceHeaders, parseTraceparent, toTraceStart, traceIdOf } from "./traceContext.ts";

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();
const runId = "0192f7a1b2c30abc1122334455667788";
const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test.each([
  ["", "nothing"],
  ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "no flags"],
  ["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "version ff"],
  ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "more than version 00 has"],
  ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "a trace id of zeros"],
  ["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "a span id of zeros"],
  ["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "upper case"],
])("a traceparent %j is passed over: %s", (header) => {
  expect(parseTraceparent(header)).toBeUndefined();
});

test("a later version may say more", () => {
  expect(parseTraceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more")).toEqual({
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: "00f067aa0ba902b7",
    sampled: true,
  });
});

test("a run joins the caller's sampled trace", () => {
  const trace = toTraceStart(runId, { traceparent: caller, tracestate: "a=b" }, () => true);
  expect(trace).toEqual({
    traceId: fromHex("4bf92f3577b34da6a3ce929d0e0e4736"),
    parentSpanId: fromHex("00f067aa0ba902b7"),
    sampled: true,
    tracestate: "a=b",
  });
});

test("a run is a root of its own beside a caller's unsampled trace, and the sampler sees that parent", () => {
  const seen: unknown[] = [];
  const trace = toTraceStart(
    runId,
    { traceparent: caller.replace(/01$/, "00"), tracestate: "a=b" },
    (traceId, parent) => {
      seen.push(traceId, parent?.sampled);
      return false;
    },
  );
  expect(seen).toEqual([runId, false]);
  expect(traceIdOf(runId, trace)).toBe(runId);
  expect(trace).toMatchObject({ parentSpanId: new Uint8Array(), sampled: false, tracestate: "" });
});

test("a service is told the attempt's span as its parent", () => {
  const trace = toTraceStart(runId, { traceparent: caller, tracestate: "a=b" }, () => true);
  const attempt = { step: "charge", generation: 0, phase: 0 as const, attempt: 2 };
  expect(attemptTraceHeaders(runId, trace, attempt, sha256)).toEqual({
    traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${attemptSpanId(runId, attempt, sha256)}-01`,
    tracestate: "a=b",
  });
});

test("span ids are fixed for ever: they are compared over restarts and versions", () => {
  const attempt = { step: "charge", generation: 0, phase: 1 as const, attempt: 2 };
  expect(attemptSpanId(runId, attempt, sha256)).toBe(
    Buffer.from(sha256(`attempt:${runId}/charge/g0/c/2`))
      .toString("hex")
      .slice(0, 16),
  );
});
