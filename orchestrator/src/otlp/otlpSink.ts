import { Metadata } from "@grpc/grpc-js";
import { OTLPTraceExporter as RpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { errorText } from "../../../runtime/src/log.ts";
import type { SpanSink, SpanSinkAnswer } from "../processor/spanSink.ts";
import type { Attributes } from "../projection/span.ts";
import { parseKeyValues } from "./keyValues.ts";
import { toReadableSpans } from "./readableSpan.ts";
import type { TraceSettings } from "./traceSettings.ts";

/** A collector behind OTLP, as the settings name it; undefined when they name none. Closing it waits for nothing. */
export function openOtlpSink(settings: TraceSettings): (SpanSink & AsyncDisposable) | undefined {
  const exporter = openExporter(settings);
  if (exporter === undefined) return undefined;
  const resource = orchestratorResource(settings);
  return {
    export: (spans) =>
      new Promise((resolve) => {
        exporter.export(toReadableSpans(spans, resource), ({ error }) =>
          // A failure always carries its error.
          resolve(error === undefined ? { kind: "taken" } : toAnswer(error)),
        );
      }),
    [Symbol.asyncDispose]: async () => {
      // The SDK would wait for exports under way; what they carry is exported again after the restart.
      void exporter.shutdown();
    },
  };
}

/** Attributes of the resource of all orchestrators together. */
export function orchestratorResource(settings: Pick<TraceSettings, "serviceName" | "resourceAttributes">): Attributes {
  return { ...parseKeyValues(settings.resourceAttributes ?? ""), "service.name": settings.serviceName };
}

function openExporter(settings: TraceSettings): SpanExporter | undefined {
  const url = settings.otlpTracesEndpoint ?? settings.otlpEndpoint;
  if (url === undefined || settings.otelDisabled) return undefined;
  const headers = parseKeyValues(settings.otlpHeaders ?? "");
  switch (settings.otlpProtocol) {
    case "grpc": {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key.toLowerCase(), value);
      return new RpcExporter({ url, metadata, timeoutMillis: settings.otlpTimeout });
    }
    case "http/protobuf":
      return new HttpExporter({
        url: settings.otlpTracesEndpoint ?? `${url.replace(/\/$/, "")}/v1/traces`,
        headers,
        timeoutMillis: settings.otlpTimeout,
      });
  }
}

const httpRefusals: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const rpcInvalidArgument = 3;

/** The SDK has tried what can be retried; of the rest only a verdict on the spans themselves is final. */
function toAnswer(error: Error): SpanSinkAnswer {
  const code = "code" in error && typeof error.code === "number" ? error.code : undefined;
  const isFinal = code !== undefined && (httpRefusals.has(code) || code === rpcInvalidArgument);
  return { kind: isFinal ? "refused" : "away", message: errorText(error) };
}
