import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";

/** SHA-256 of a string's UTF-8 bytes; handed in, so that this folder stays free of node:. */
export type Sha256 = (text: string) => Uint8Array;

/** Ids of spans are functions of what the span shows: 16 hex digits, the same from any orchestrator at any time. */
export function runSpanId(runId: string, sha256: Sha256): string {
  return spanId(`run:${runId}`, sha256);
}

/** Of the short span that makes a running run findable. */
export function startedSpanId(runId: string, sha256: Sha256): string {
  return spanId(`started:${runId}`, sha256);
}

/**
 * Of a step in one phase. One span over all generations: a step that an operator tries again is still the same step, and its first
 * attempts have gone out below it already.
 */
export function stepSpanId(runId: string, step: Pick<AttemptId, "step" | "phase">, sha256: Sha256): string {
  return spanId(`step:${runId}/${step.step}/${step.phase}`, sha256);
}

/** Of the moment at which a step began to wait for a person. */
export function incidentSpanId(
  runId: string,
  step: Pick<AttemptId, "step" | "phase" | "generation">,
  attempts: number,
  sha256: Sha256,
): string {
  return spanId(`incident:${runId}/${step.step}/${step.phase}/g${step.generation}/${attempts}`, sha256);
}

/** Of one attempt; it is the parent id in the traceparent that the called service sees. */
export function attemptSpanId(runId: string, attempt: AttemptId, sha256: Sha256): string {
  return spanId(`attempt:${attemptKey(runId, attempt)}`, sha256);
}

function spanId(name: string, sha256: Sha256): string {
  const id = toHex(sha256(name).subarray(0, 8));
  // An id of zeros is invalid in a traceparent.
  return id === "0000000000000000" ? "0000000000000001" : id;
}
