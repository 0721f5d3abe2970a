import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";

/**
 * What its place in the stream says of a delivery, once the consumer was seen empty on this connection. "fresh": it was stored since, and
 * never delivered. "again": it had been delivered before, whatever its count says. "unknown": it was not seen empty yet.
 */
export type DeliveryAge = "fresh" | "again" | "unknown";

/** `emptySequence`: the last one that the consumer had delivered when it was seen empty; undefined: it was not. */
export function ageOf(streamSequence: number, delivery: number, emptySequence: number | undefined): DeliveryAge {
  if (emptySequence === undefined) return "unknown";
  return streamSequence > emptySequence && delivery === 1 ? "fresh" : "again";
}

/** What is known of a delivered task before it runs. Times of one clock each: stored, issued, now and connected are log time. */
export type AdmissionFacts = {
  readonly recheck: boolean;
  readonly delivery: number;
  readonly storedAtMs: number;
  readonly issuedAtMs: number;
  /** Estimated. */
  readonly nowMs: number;
  /** How long this sidecar has had it. */
  readonly heldMs: number;
  readonly age: DeliveryAge;
  /** When this connection to this server began, estimated in log time. */
  readonly connectedAtMs: number;
  /** Nobody has said yet that the service fits it. */
  readonly isUnsure: boolean;
};

/** Why the owner has to be asked before the task runs (PROTOCOL §6.2). */
export type AskReason = "recheck" | "redelivered" | "stale" | "held" | "beforeConnection" | "contract";

/** Does the reason say that somebody may have begun the call before? Age alone does not. */
export function mayHaveBegun(reason: AskReason | undefined): boolean {
  return reason === "recheck" || reason === "redelivered" || reason === "beforeConnection";
}

const youngMs = 1_000;

/**
 * Why the task may not simply run; undefined when it may. Delivery 1 alone proves nothing: a server that restarts forgets young
 * delivery counts and acknowledged message ids, hence the last reason.
 */
export function reasonToAsk(facts: AdmissionFacts): AskReason | undefined {
  if (facts.recheck) return "recheck";
  if (facts.delivery !== 1 || facts.age === "again") return "redelivered";
  // Before its age: of a task that lies there since before the restart nobody knows whether somebody has begun it.
  if (facts.age === "unknown" && facts.storedAtMs < facts.connectedAtMs) return "beforeConnection";
  // One that has waited in the queue may have been given up since.
  if (Math.max(facts.storedAtMs, facts.nowMs) - facts.issuedAtMs > youngMs) return "stale";
  if (facts.heldMs > youngMs) return "held";
  return facts.isUnsure ? "contract" : undefined;
}

/** What to do with a task after the owner was asked. */
export type Admission =
  | { readonly kind: "run" }
  /** The attempt is over: acknowledge the task, tell nobody. */
  | { readonly kind: "drop" }
  /** An earlier delivery claimed it: report in_doubt. */
  | { readonly kind: "doubt" }
  /** Give it back for a while. */
  | { readonly kind: "later"; readonly delayMs: number };

/** `verdict` undefined: the owner did not answer. Nothing doubtful ever runs on that. */
export function admit(verdict: AskReply_Verdict | undefined, delivery: number): Admission {
  switch (verdict) {
    case AskReply_Verdict.OPEN:
      return { kind: "run" };
    case AskReply_Verdict.CLOSED:
      return { kind: "drop" };
    case AskReply_Verdict.DOUBT:
      return { kind: "doubt" };
    case AskReply_Verdict.BUSY:
      return { kind: "later", delayMs: busyDelayMs };
    case AskReply_Verdict.NOT_NOW:
    case AskReply_Verdict.MISFIT:
    case AskReply_Verdict.UNRECOGNIZED:
    case undefined:
      return {
        kind: "later",
        delayMs: Math.min(notNowDelayMs * 2 ** Math.min(Math.max(delivery, 1) - 1, 10), notNowDelayMaxMs),
      };
  }
}

const busyDelayMs = 3_000;
const notNowDelayMs = 500;
const notNowDelayMaxMs = 2_000;

/**
 * Estimates log time from what arrives. A message can't arrive before it was stored, so `stored - received` never exceeds the true
 * difference of the clocks; starting at 0, a clock of ours that runs ahead only makes the sidecar ask more.
 */
export type ClockOffset = { readonly aheadMs: number };

export const unknownOffset: ClockOffset = { aheadMs: 0 };

/**
 * How far this machine's clock is from the server's, when a message proves more than 1 s: positive when ours runs ahead. Undefined when
 * nothing is wrong, or nothing can be said.
 */
export function clockError(age: DeliveryAge, storedAtMs: number, receivedAtMs: number): number | undefined {
  const aheadMs = receivedAtMs - storedAtMs;
  return aheadMs < -clockErrorMs || (age === "fresh" && aheadMs > clockErrorMs) ? aheadMs : undefined;
}

const clockErrorMs = 1_000;

/** The offset after a message has arrived: it only grows. */
export function observeClock(offset: ClockOffset, storedAtMs: number, receivedAtMs: number): ClockOffset {
  const aheadMs = storedAtMs - receivedAtMs;
  return aheadMs > offset.aheadMs ? { aheadMs } : offset;
}
