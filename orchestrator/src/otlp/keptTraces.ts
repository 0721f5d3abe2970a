import type { Log } from "../../../runtime/src/log.ts";
import type { SpanSink } from "../processor/spanSink.ts";
import { ofOwn, parseExport } from "./arrivedSpans.ts";
import { orchestratorResource } from "./otlpSink.ts";
import { openPassOn } from "./passOn.ts";
import { openTraceStore } from "./traceStore.ts";
import type { KeptTrace } from "./traceStore.ts";
import type { TraceSettings } from "./traceSettings.ts";

/** The last traces, of our own spans and of those that services send. */
export interface KeptTraces extends Disposable {
  readonly traces: {
    /** Takes the bytes of an ExportTraceServiceRequest, and passes them on where a collector is set. Throws when they are none. */
    take(bytes: Uint8Array): void;
    get(traceId: string): KeptTrace | undefined;
    newest(count: number): readonly KeptTrace[];
  };
  /** A sink that keeps what it is given, and hands it to the collector. */
  alsoTo(collector: SpanSink | undefined): SpanSink;
}

/** Keeps so many. */
export function openKeptTraces(settings: TraceSettings, tracesMax: number, log: Log): KeptTraces {
  const store = openTraceStore(tracesMax);
  const passOn = openPassOn(settings, log);
  const resource = orchestratorResource(settings);
  return {
    traces: {
      take: (bytes) => {
        store.add(parseExport(bytes));
        passOn?.send(bytes);
      },
      get: (traceId) => store.get(traceId),
      newest: (count) => store.newest(count),
    },
    alsoTo: (collector) => ({
      export: (spans) => {
        store.add(spans.map((span) => ofOwn(span, resource)));
        return collector?.export(spans) ?? Promise.resolve({ kind: "taken" });
      },
    }),
    [Symbol.dispose]: () => passOn?.[Symbol.dispose](),
  };
}
