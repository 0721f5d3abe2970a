import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Outcome, Sidecar } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Answered, Ending, Failed } from "./ending.ts";
import { retryAfterMs } from "./retryAfter.ts";
import type { ParsedTask } from "./taskMessage.ts";

/** What an outcome says besides how the call ended. */
export type OutcomeFacts = {
  readonly delivery: number;
  /** Somebody may have begun the call before, whatever the delivery count says. */
  readonly recheck: boolean;
  readonly sidecar: Sidecar;
};

/** The outcome of a call. */
export function endedOutcome(task: ParsedTask, facts: OutcomeFacts, ending: Ending): Outcome {
  return {
    attempt: task.attempt,
    token: task.message.token,
    delivery: facts.delivery,
    recheck: facts.recheck,
    sent: ending.kind === "answered" || ending.sent,
    peer: ending.peer,
    sidecar: facts.sidecar,
    startedAtMs: ending.startedAtMs,
    endedAtMs: ending.endedAtMs,
    kind: ending.kind === "answered" ? { $case: "completed", value: ending.response } : failedKind(ending),
  };
}

function failedKind({ code: number, message, details, origin, pushback }: Failed): Outcome["kind"] {
  return {
    $case: "failed",
    value: {
      code: number,
      message,
      details,
      origin: origin === "service" ? Failure_Origin.SERVICE : Failure_Origin.TRANSPORT,
      retryAfterMs: retryAfterMs(details, pushback),
    },
  };
}

/** The outcome of a call whose answer is kept apart. */
export function claimedOutcome(task: ParsedTask, facts: OutcomeFacts, ending: Answered, ref: PayloadRef): Outcome {
  const { peer, startedAtMs, endedAtMs } = ending;
  const frame = { ...frameOf(task, facts), startedAtMs, endedAtMs, peer };
  return { ...frame, sent: true, kind: { $case: "claimed", value: ref } };
}

/** The request was kept apart and is there no more: nothing was sent, and nothing will bring it back. */
export function withoutRequestOutcome(task: ParsedTask, facts: OutcomeFacts, nowMs: number): Outcome {
  const kind = failure(code.DATA_LOSS, "the request was kept apart and is there no more", Failure_Origin.SIDECAR);
  return { ...frameOf(task, facts), startedAtMs: nowMs, endedAtMs: nowMs, kind };
}

/** The sidecar itself refuses the task: nothing was sent. */
export function refusedOutcome(task: ParsedTask, facts: OutcomeFacts, reason: string, nowMs: number): Outcome {
  return {
    ...frameOf(task, facts),
    startedAtMs: nowMs,
    endedAtMs: nowMs,
    kind: failure(code.UNIMPLEMENTED, reason, Failure_Origin.SIDECAR),
  };
}

/** The sidecar lacks a secret of the call's headers: nothing was sent, and it is worth trying again once it has it. */
export function withoutSecretOutcome(task: ParsedTask, facts: OutcomeFacts, name: string, nowMs: number): Outcome {
  const message = `the sidecar has no secret '${name}': put it into a file of that name in its --secrets folder`;
  const kind = failure(code.UNAVAILABLE, message, Failure_Origin.SIDECAR);
  return { ...frameOf(task, facts), startedAtMs: nowMs, endedAtMs: nowMs, kind };
}

/** The attempt was reset before its call began: nothing was sent. */
export function resetOutcome(task: ParsedTask, facts: OutcomeFacts, nowMs: number): Outcome {
  const kind = failure(code.CANCELLED, "reset before the call began", Failure_Origin.SIDECAR);
  return { ...frameOf(task, facts), startedAtMs: nowMs, endedAtMs: nowMs, kind };
}

/** What is told instead of an outcome that the server does not take: the call was carried out, its answer is too large. */
export function tooLargeOutcome(outcome: Outcome, reason: string): Outcome {
  return {
    ...outcome,
    sent: true,
    kind: failure(code.RESOURCE_EXHAUSTED, `the answer can't be stored: ${reason}`, Failure_Origin.TRANSPORT),
  };
}

/** The claim of a step that must not be repeated. */
export function startedOutcome(task: ParsedTask, facts: OutcomeFacts, nowMs: number): Outcome {
  return { ...frameOf(task, facts), startedAtMs: nowMs, endedAtMs: nowMs, kind: { $case: "started", value: {} } };
}

/** A delivery after a claim: nobody knows whether the call was carried out, and it was not made again. */
export function inDoubtOutcome(task: ParsedTask, facts: OutcomeFacts, nowMs: number): Outcome {
  return { ...frameOf(task, facts), startedAtMs: nowMs, endedAtMs: nowMs, kind: { $case: "inDoubt", value: {} } };
}

function failure(number: number, message: string, origin: Failure_Origin): Outcome["kind"] {
  return { $case: "failed", value: { code: number, message, details: new Uint8Array(), origin } };
}

function frameOf(task: ParsedTask, facts: OutcomeFacts): Omit<Outcome, "kind" | "startedAtMs" | "endedAtMs"> {
  return {
    attempt: task.attempt,
    token: task.message.token,
    delivery: facts.delivery,
    recheck: facts.recheck,
    sent: false,
    peer: "",
    sidecar: facts.sidecar,
  };
}
