import type { AttemptId } from "../gen/sidestep/internal/v1/event.ts";

/**
 * The attempt id as one string, the same in every process: message id of its task, input of its token and of the idempotency key.
 * "<run>/<step>/g<generation>/<f|c|v>/<attempt>".
 */
export function attemptKey(runId: string, id: AttemptId): string {
  return `${stepKey(runId, id)}/${id.attempt}`;
}

/** The attempt id without its attempt: equal for all attempts of one logical call. */
export function stepKey(runId: string, id: AttemptId): string {
  return `${runId}/${id.step}/g${id.generation}/${phases[id.phase] ?? "?"}`;
}

/** Do two ids name the same attempt of one run? */
export function sameAttempt(a: AttemptId, b: AttemptId): boolean {
  return a.attempt === b.attempt && a.step === b.step && a.phase === b.phase && a.generation === b.generation;
}

const phases: Readonly<Record<number, string>> = { 0: "f", 1: "c", 2: "v" };
