import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type {
  GetTraceResponse,
  ListTracesResponse,
  TraceSpan,
  TraceSummary,
  TracesServer,
} from "../../../proto/gen/sidestep/v1/traces.ts";
import type { Timestamp } from "../../../proto/gen/google/protobuf/timestamp.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Failure } from "./failure.ts";
import type { Rpcs } from "./rpcs.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Traces that are kept, and how more come to them. */
export interface KeptTraces {
  /** Takes the bytes of an ExportTraceServiceRequest. Throws when they are none. */
  take(bytes: Uint8Array): void;
  get(traceId: string): GetTraceResponse | undefined;
  newest(count: number): readonly GetTraceResponse[];
}

/** Where OTLP over gRPC arrives. */
export const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const pageDefault = 50;
const pageMax = 500;

const off: Failure = {
  code: code.FAILED_PRECONDITION,
  message: "no traces are kept here: start the orchestrator with --traces-kept, as `sidestep dev` does",
  reason: "TRACES_OFF",
};

/** sidestep.v1.Traces; undefined: none are kept. */
export function tracesService(traces: KeptTraces | undefined): TracesServer {
  return {
    get: unary(({ request }) => Promise.resolve(getTrace(request.traceId, traces))),
    list: unary(({ request }) => Promise.resolve(listTraces(request.pageSize, traces))),
  };
}

function getTrace(traceId: string, traces: KeptTraces | undefined): Answered<GetTraceResponse> {
  if (traces === undefined) return failed(off);
  const found = traces.get(traceId);
  if (found !== undefined) return done(found);
  const message = `nothing of a trace ${traceId} has come, or it is no longer kept`;
  return failed({ code: code.NOT_FOUND, message, reason: "TRACE_NOT_FOUND" });
}

function listTraces(pageSize: number, traces: KeptTraces | undefined): Answered<ListTracesResponse> {
  if (traces === undefined) return failed(off);
  const count = pageSize > 0 ? Math.min(pageSize, pageMax) : pageDefault;
  return done({ traces: traces.newest(count).map(summaryOf) });
}

/** Takes what services export. */
export function serveOtlp(rpcs: Pick<Rpcs, "addUnary">, traces: KeptTraces): void {
  rpcs.addUnary({
    path: exportPath,
    handler: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      try {
        traces.take(request);
        answer(null, Buffer.alloc(0));
      } catch (error) {
        answer({ code: code.INVALID_ARGUMENT, details: `the export can't be read: ${errorText(error)}` });
      }
    },
    serialize: (bytes) => bytes,
    deserialize: (bytes) => bytes,
  });
}

function summaryOf({ traceId, spans }: GetTraceResponse): TraceSummary {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const root = spans.find(({ parentSpanId }) => !ids.has(parentSpanId)) ?? spans[0];
  return {
    traceId,
    name: root?.name ?? "",
    service: root?.service ?? "",
    startedAt: spans[0]?.startedAt,
    endedAt: lastEnd(spans),
    spans: spans.length,
    failed: spans.filter((span) => span.failed).length,
  };
}

function lastEnd(spans: readonly TraceSpan[]): Timestamp | undefined {
  const ends = spans.flatMap(({ endedAt }) => endedAt ?? []);
  return ends.reduce<Timestamp | undefined>(
    (last, one) => (last === undefined || isAfter(one, last) ? one : last),
    undefined,
  );
}

function isAfter(a: Timestamp, b: Timestamp): boolean {
  return a.seconds === b.seconds ? a.nanos > b.nanos : a.seconds > b.seconds;
}
