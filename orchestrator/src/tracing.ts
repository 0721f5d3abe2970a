import type { Log } from "../../runtime/src/log.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { ShowTrace } from "./grpc/runs.ts";
import type { KeptTraces } from "./grpc/tracesService.ts";
import { openKeptTraces } from "./otlp/keptTraces.ts";
import { openOtlpSink, orchestratorResource } from "./otlp/otlpSink.ts";
import { resourceAttributes } from "./otlp/readableSpan.ts";
import type { TraceSettings } from "./otlp/traceSettings.ts";
import { sha256 } from "./processor/credentials.ts";
import type { TurnObserver } from "./processor/ports.ts";
import { spansTold, toReproject } from "./processor/reproject.ts";
import type { ReprojectGround } from "./processor/reproject.ts";
import { openSpanExport } from "./processor/spanExport.ts";
import { toSpanObserver, unobserved } from "./processor/spanObserver.ts";
import type { SpanNews } from "./processor/spanSender.ts";
import type { SpanResource } from "./projection/span.ts";
import { traceOfRun } from "./projection/runTrace.ts";

/** What of the settings it goes by. */
export type TracingSettings = TraceSettings & { readonly tracesKept: number };

/** Spans of runs, projected from the log. */
export interface Tracing extends AsyncDisposable {
  /** Undefined: none are kept. */
  readonly traces: KeptTraces | undefined;
  readonly observer: TurnObserver;
  readonly showTrace: ShowTrace;
  /** Resolves when all spans are out, or when the signal aborts. */
  settled(signal: AbortSignal): Promise<void>;
}

/** Exports where an OTLP endpoint is set, and keeps the last traces where that is asked for; shows those of runs in any case. */
export function openTracing(settings: TracingSettings, ground: ReprojectGround, log: Log): Tracing {
  const own = orchestratorResource(settings);
  const resourceOf = (resource: SpanResource) => resourceAttributes(resource, own);
  const showTrace: ShowTrace = (runId, plan, records) => ({
    ...traceOfRun(runId, plan, records, { sha256, resourceOf }),
  });
  const kept = settings.tracesKept === 0 ? undefined : openKeptTraces(settings, settings.tracesKept, log);
  const collector = openOtlpSink(settings);
  const sink = kept?.alsoTo(collector) ?? collector;
  if (sink === undefined) {
    const settled = (): Promise<void> => Promise.resolve();
    return { observer: unobserved, showTrace, traces: undefined, settled, [Symbol.asyncDispose]: settled };
  }
  const spanExport = openSpanExport({
    sink,
    reproject: toReproject(ground, spansTold),
    told: (news) => tell(news, log),
    pause,
  });
  const endpoint = settings.otlpTracesEndpoint ?? settings.otlpEndpoint;
  if (collector !== undefined) log.info("spans are exported", { endpoint });
  if (kept !== undefined) log.info("the last traces are kept", { traces: settings.tracesKept });
  return {
    observer: toSpanObserver(spanExport),
    showTrace,
    traces: kept?.traces,
    settled: (signal) => spanExport.settled(signal),
    [Symbol.asyncDispose]: async () => {
      await spanExport[Symbol.asyncDispose]();
      kept?.[Symbol.dispose]();
      await collector?.[Symbol.asyncDispose]();
    },
  };
}

function tell(news: SpanNews, log: Log): void {
  switch (news.kind) {
    case "away":
      return log.warn("the collector takes no spans; they are kept in the log", { error: news.message });
    case "back":
      return log.info("the collector takes spans again");
    case "refused":
      return log.warn("the collector refused a span", { error: news.message, span: news.name });
    case "unreadable":
      return log.warn("the log can't be read again for spans now", { partition: news.partition, error: news.error });
  }
}
