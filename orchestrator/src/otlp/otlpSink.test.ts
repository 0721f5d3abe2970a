import { expect, test } from "vitest";
import { startOtlpReceiver } from "../../../test/support/otlpReceiver.ts";
import { readConfiguration } from "../../../runtime/src/configuration.ts";
import type { Span } from "../projection/span.ts";
import { openOtlpSink } from "./otlpSink.ts";
import { toSampler } from "./sampler.ts";
import { traceSettings } from "./traceSettings.ts";
import type { TraceSettings } from "./traceSettings.ts";

const traceId = "0192f7a1b2c30abc1122334455667788";
const span: Span = {
  traceId,
  spanId: "00f067aa0ba902b7",
  parentSpanId: "1122334455667788",
  parentIsRemote: false,
  tracestate: "a=b",
  name: "charge",
  kind: "internal",
  startMs: 1_795_000_000_123.25,
  endMs: 1_795_000_000_200,
  status: { kind: "error", message: "declined" },
  attributes: { "sidestep.step": "charge", "sidestep.step.attempts": 2, "sidestep.maybe_executed": true },
  events: [{ name: "incident", timeMs: 1_795_000_000_150, attributes: { reason: "EXHAUSTED" } }],
  resource: { kind: "orchestrator" },
};
const attempt: Span = {
  ...span,
  spanId: "0000000000000001",
  parentSpanId: span.spanId,
  kind: "client",
  resource: { kind: "sidecar", sidecar: { id: "s1", name: "payment-sidecar", host: "h", version: "" } },
};

function settingsOf(environment: Record<string, string>): TraceSettings {
  const reading = readConfiguration(traceSettings, { args: [], environment, readFile: () => "" });
  if (reading.kind !== "settings") throw new Error(JSON.stringify(reading));
  return reading.settings;
}

test.each(["http/protobuf", "grpc"] as const)("spans arrive as they are over %s", async (protocol) => {
  await using receiver = await startOtlpReceiver();
  await using sink = openOtlpSink(
    settingsOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === "grpc" ? receiver.grpcUrl : receiver.httpUrl,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    }),
  );
  expect(await sink?.export([span, attempt])).toEqual({ kind: "taken" });
  expect(receiver.lastHeaders()["authorization"]).toBe("Bearer x");
  const [first, second] = receiver.spans();
  expect(first).toMatchObject({
    traceId,
    spanId: span.spanId,
    parentSpanId: "1122334455667788",
    name: "charge",
    kind: "internal",
    startNano: 1_795_000_000_123_250_000n,
    endNano: 1_795_000_000_200_000_000n,
    attributes: span.attributes,
    events: [{ name: "incident", timeNano: 1_795_000_000_150_000_000n, attributes: { reason: "EXHAUSTED" } }],
    status: { code: "error", message: "declined" },
    tracestate: "a=b",
    resource: { "service.name": "sidestep-orchestrator", "deployment.environment.name": "test" },
    scope: "sidestep",
  });
  expect(second).toMatchObject({
    kind: "client",
    resource: { "service.name": "payment-sidecar", "service.instance.id": "s1", "host.name": "h" },
  });

  await sink?.export([span, attempt]);
  expect(
    receiver
      .spans()
      .slice(2)
      .map((it) => it.whole),
  ).toEqual(
    receiver
      .spans()
      .slice(0, 2)
      .map((it) => it.whole),
  );
});

test("a collector that is away is told from one that refuses", async () => {
  await using receiver = await startOtlpReceiver();
  receiver.setAway(true);
  await using sink = openOtlpSink(
    settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl, OTEL_EXPORTER_OTLP_TIMEOUT: "200" }),
  );
  expect(await sink?.export([span])).toMatchObject({ kind: "away" });
  expect(receiver.spans()).toEqual([]);

  await using nobody = openOtlpSink(
    settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT: "200" }),
  );
  expect(await nobody?.export([span])).toMatchObject({ kind: "away" });
});

test("without an endpoint, and when OpenTelemetry is switched off, nothing is exported", () => {
  expect(openOtlpSink(settingsOf({}))).toBeUndefined();
  expect(
    openOtlpSink(settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_SDK_DISABLED: "true" })),
  ).toBeUndefined();
});

const sampledParent = { traceId, spanId: "00f067aa0ba902b7", sampled: true };

test.each([
  [{}, undefined, true],
  [{}, sampledParent, true],
  [{}, { ...sampledParent, sampled: false }, false],
  [{ OTEL_TRACES_SAMPLER: "always_on" }, { ...sampledParent, sampled: false }, true],
  [{ OTEL_TRACES_SAMPLER: "always_off" }, sampledParent, false],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, sampledParent, true],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, undefined, false],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1" }, undefined, true],
  [{ OTEL_SDK_DISABLED: "true" }, sampledParent, false],
])("with %j and the parent %j a run's being sampled is %j", (environment, parent, expected) => {
  expect(toSampler(settingsOf({ ...environment }))(traceId, parent)).toBe(expected);
});

test("a ratio takes about that share of the runs", () => {
  const isSampled = toSampler(settingsOf({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" }));
  let taken = 0;
  for (let i = 0; i < 4000; i++) {
    const hex = (Math.imul(i + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, "0");
    if (isSampled(`0192f7a1b2c30abc${hex}${hex}`.slice(0, 16) + hex + "55667788", undefined)) taken += 1;
  }
  expect(taken).toBeGreaterThan(800);
  expect(taken).toBeLessThan(1200);
});

test("a bad ratio is told", () => {
  const reading = readConfiguration(traceSettings, {
    args: [],
    environment: { OTEL_TRACES_SAMPLER_ARG: "1.5", OTEL_TRACES_SAMPLER: "sometimes" },
    readFile: () => "",
  });
  expect(reading).toMatchObject({
    kind: "problems",
    problems: [expect.stringContaining("sometimes"), expect.stringContaining("1.5")],
  });
});
