import { AttemptId_Phase as Phase } from "../../proto/gen/sidestep/internal/v1/event.ts";

/** One call that a service has begun: the truth, whatever anybody heard of it. */
export interface Execution {
  readonly runId: string;
  /** Of its attempt. */
  readonly id: string;
  readonly step: string;
  readonly phase: number;
  readonly attempt: number;
  readonly startedAt: number;
  /** When its effect happened; undefined: it had none. */
  effectAt: number | undefined;
  answer: string;
}

/** A message in the user's stream. */
export interface StoredMessage {
  /** What the stream tells doubles by. */
  readonly id: string;
  readonly runId: string;
  /** Path of the step that emitted it. */
  readonly step: string;
  readonly storedAt: number;
}

/** Which call of a step a verification is about. */
export function phaseAskedFor(request: Uint8Array): Phase {
  return new TextDecoder().decode(request) === "undo" ? Phase.COMPENSATE : Phase.FORWARD;
}
