import { credentials } from "@grpc/grpc-js";
import { RunsClient } from "../../../proto/gen/sidestep/v1/runs.ts";
import { Run_State, StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { renderTree } from "../../../orchestrator/src/projection/tree.ts";
import type { ReceivedSpan } from "../../../test/support/otlp/receivedSpan.ts";

/** The run as the orchestrator knows it. */
export function getRun(address: string, runId: string): Promise<Run> {
  const client = new RunsClient(address, credentials.createInsecure());
  return new Promise<Run>((resolve, reject) => {
    client.get({ runId }, (error, response) => {
      client.close();
      if (error !== null) reject(error);
      else if (response.run === undefined) reject(new Error(`Runs.Get answered without a run for ${runId}`));
      else resolve(response.run);
    });
  });
}

/** "COMPENSATED" for 6. */
export function stateName(state: Run_State): string {
  return nameOf(Run_State, state);
}

/** The run's steps, one line each, as they began; compensations after them. */
export function stepLines(run: Run): readonly string[] {
  return run.steps.map((step) => {
    const name = `${step.compensation ? "undo " : ""}${step.path}`;
    const attempts = step.attempt > 1 ? `${step.attempt} attempts` : "";
    const error = step.state === StepStatus_State.FAILED ? (step.lastError?.message ?? "") : "";
    const columns = [
      name.padEnd(16),
      nameOf(StepStatus_State, step.state).padEnd(10),
      step.method.padEnd(38),
      tookText(step),
    ];
    return [...columns, attempts, error].join(" ").trimEnd();
  });
}

/** A trace as a tree of text, the services' own spans included. */
export function traceLines(spans: readonly ReceivedSpan[], traceId: string): readonly string[] {
  return renderTree(
    spans
      .filter((span) => span.traceId === traceId)
      .map((span) => ({
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: span.kind,
        startMs: Number(span.startNano) / 1e6,
        endMs: Number(span.endNano) / 1e6,
        service: String(span.resource["service.name"] ?? "?"),
        error: span.status.code === "error" ? span.status.message || "error" : undefined,
        notes: notes(span),
      })),
  );
}

function notes(span: ReceivedSpan): readonly string[] {
  const attempt = Number(span.attributes["sidestep.attempt"] ?? 1);
  const delivery = Number(span.attributes["sidestep.attempt.delivery"] ?? 1);
  const state = span.attributes["sidestep.run.state"];
  return [
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
    ...(delivery > 1 ? [`delivery ${delivery}`] : []),
    ...(typeof state === "string" ? [state] : []),
  ];
}

/** A trace is whole when its run's span is there and no parent of ours is missing. */
export function isWhole(spans: readonly ReceivedSpan[], traceId: string): boolean {
  const own = spans.filter((span) => span.traceId === traceId);
  const ids = new Set(own.map((span) => span.spanId));
  return (
    own.some((span) => span.parentSpanId === "") &&
    own.every((span) => span.parentSpanId === "" || ids.has(span.parentSpanId))
  );
}

function tookText({ startedAt, endedAt }: StepStatus): string {
  if (startedAt === undefined || endedAt === undefined) return "";
  const ms = Number(endedAt.seconds - startedAt.seconds) * 1000 + (endedAt.nanos - startedAt.nanos) / 1e6;
  return `${Math.round(ms)} ms`;
}

function nameOf(names: Readonly<Record<string, unknown>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
