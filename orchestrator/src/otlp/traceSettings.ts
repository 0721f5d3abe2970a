import { choice, integer, text, textOr, toggle } from "../../../runtime/src/setting.ts";
import type { Setting, Values } from "../../../runtime/src/setting.ts";

export const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** Settings of the trace, under OpenTelemetry's own variables; part of the orchestrator's table. */
export const traceSettings = {
  otlpEndpoint: text({
    flag: "otlp-endpoint",
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    placeholder: "<url>",
    doc: "Where spans go, such as http://localhost:4318 (http/protobuf) or http://localhost:4317 (grpc). Not set: nothing is exported.",
  }),
  otlpTracesEndpoint: text({
    flag: "otlp-traces-endpoint",
    env: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    placeholder: "<url>",
    doc: "The whole URL for spans, path included; wins over --otlp-endpoint.",
  }),
  otlpProtocol: choice(
    { flag: "otlp-protocol", env: "OTEL_EXPORTER_OTLP_PROTOCOL", doc: "How spans are sent." },
    "http/protobuf",
    ["http/protobuf", "grpc"],
  ),
  otlpHeaders: text({
    flag: "otlp-headers",
    env: "OTEL_EXPORTER_OTLP_HEADERS",
    placeholder: "<key=value,…>",
    doc: "Headers of each export, values percent-encoded.",
    isSecret: true,
  }),
  otlpTimeout: integer(
    {
      flag: "otlp-timeout",
      env: "OTEL_EXPORTER_OTLP_TIMEOUT",
      placeholder: "<ms>",
      doc: "Longest time in milliseconds that one export may take.",
    },
    10_000,
    { min: 100, max: 300_000 },
  ),
  sampler: choice(
    {
      flag: "traces-sampler",
      env: "OTEL_TRACES_SAMPLER",
      doc: "Decides at the start of a run whether it is exported and whether the services are asked to trace.",
    },
    "parentbased_always_on",
    samplers,
  ),
  samplerArg: ratio({
    flag: "traces-sampler-arg",
    env: "OTEL_TRACES_SAMPLER_ARG",
    doc: "Share of the runs that a traceidratio sampler takes, from 0 to 1.",
  }),
  serviceName: textOr(
    { flag: "otel-service-name", env: "OTEL_SERVICE_NAME", doc: "service.name of the run's and the steps' spans." },
    "sidestep-orchestrator",
  ),
  resourceAttributes: text({
    flag: "otel-resource-attributes",
    env: "OTEL_RESOURCE_ATTRIBUTES",
    placeholder: "<key=value,…>",
    doc: "More attributes of the orchestrators' resource. Equal on all of them: spans exported again must come out the same.",
  }),
  otelDisabled: toggle(
    { flag: "otel-disabled", env: "OTEL_SDK_DISABLED", doc: "Export nothing and sample nothing." },
    false,
  ),
} as const;

export type TraceSettings = Values<typeof traceSettings>;

function ratio(about: { readonly flag: string; readonly env: string; readonly doc: string }): Setting<number> {
  return {
    ...textOr({ ...about, placeholder: "<ratio>" }, "1"),
    read: ([given = ""]) => {
      const value = /^(0|1|[01]?\.\d+|1\.0*)$/.test(given) ? Number(given) : Number.NaN;
      return value >= 0 && value <= 1
        ? { kind: "value", value }
        : { kind: "problem", expected: "a number from 0 to 1" };
    },
    absent: 1,
  };
}
