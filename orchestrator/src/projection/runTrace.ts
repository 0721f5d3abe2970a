import { advance } from "../engine/advance.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { resume, startIn } from "../engine/snapshot/resume.ts";
import { toOtlpJson } from "./otlpJson.ts";
import type { Attributes, Span, SpanResource } from "./span.ts";
import type { Sha256 } from "./spanId.ts";
import { spansOfTurn } from "./spans.ts";
import { traceIdOf } from "./traceContext.ts";
import { renderTree } from "./tree.ts";
import type { TreeSpan } from "./tree.ts";

/** All spans that a run's records have finished, in the order in which they are exported. */
export function spansOfRun(
  runId: string,
  plan: LoadedPlan,
  records: readonly LogRecord[],
  sha256: Sha256,
): readonly Span[] {
  const { state, records: rest } = resume(plan, runId, records);
  return rest.flatMap((record) => {
    const { transitions } = advance(plan, state, record);
    return spansOfTurn(state, transitions, sha256);
  });
}

/** A run's trace as `Runs.Trace` answers it: made from the log at any time, whether it was sampled or not. */
export interface RunTrace {
  readonly traceId: string;
  /** One line a span. */
  readonly tree: readonly string[];
  /** OTLP's TracesData in its JSON form. */
  readonly otlpJson: string;
}

/** Shows a run's own spans; `resourceOf` says the attributes of a resource. */
export function traceOfRun(
  runId: string,
  plan: LoadedPlan,
  records: readonly LogRecord[],
  { sha256, resourceOf }: { readonly sha256: Sha256; readonly resourceOf: (resource: SpanResource) => Attributes },
): RunTrace {
  const spans = spansOfRun(runId, plan, records, sha256);
  return {
    traceId: traceIdOf(runId, startIn(records)?.trace),
    tree: renderTree(spans.map((span) => toTreeSpan(span, resourceOf))),
    otlpJson: JSON.stringify(toOtlpJson(spans, resourceOf)),
  };
}

function toTreeSpan(span: Span, resourceOf: (resource: SpanResource) => Attributes): TreeSpan {
  const { attributes } = span;
  const attempt = attributes["sidestep.attempt"];
  const delivery = attributes["sidestep.attempt.delivery"];
  const state = attributes["sidestep.run.state"];
  return {
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: span.kind,
    startMs: span.startMs,
    endMs: span.endMs,
    service: String(resourceOf(span.resource)["service.name"] ?? ""),
    error: span.status.kind === "error" ? span.status.message || "error" : undefined,
    notes: [
      ...(typeof attempt === "number" && attempt > 1 ? [`attempt ${attempt}`] : []),
      ...(delivery === undefined ? [] : [`delivery ${delivery}`]),
      ...(state === undefined ? [] : [String(state)]),
    ],
  };
}
