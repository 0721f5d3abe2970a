import type { WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { ResidentRun } from "./residentRun.ts";

/** Front doors that wait for the end of a run, or for an operator's request to be folded. */
export interface Waiters {
  /** Returns how to forget it. */
  add(runId: RunId, waiter: Waiter): () => void;
  /** Tells those whose time has come. */
  look(run: ResidentRun): void;
  /** The runs that somebody waits for. */
  runs(): readonly RunId[];
  /** Nobody knows the run. */
  unknown(runId: RunId): void;
  /** The partition is left: everybody has to ask again. */
  leave(): void;
  /** Forgets those who have not asked again for long. */
  sweep(nowMs: number): void;
}

/** One who waits. `tell` is called once. */
export interface Waiter {
  readonly request: Pick<WaitRequest, "foldedSequence">;
  readonly tell: (reply: WaitReply) => void;
  /** Local ones stay until they are told; others have to ask again. */
  readonly untilMs: number;
}

/** Nobody waits yet. */
export function openWaiters(): Waiters {
  const waiters = new Map<RunId, Set<Waiter>>();
  const tellAll = (runId: RunId, kind: NonNullable<WaitReply["kind"]>): void => {
    const those = waiters.get(runId);
    waiters.delete(runId);
    for (const { tell } of those ?? []) tell(reply(runId, kind));
  };
  return {
    add: (runId, waiter) => {
      const those = waiters.get(runId);
      if (those === undefined) waiters.set(runId, new Set([waiter]));
      else those.add(waiter);
      return () => void waiters.get(runId)?.delete(waiter);
    },
    look: (run) => {
      const those = waiters.get(run.runId);
      if (those === undefined || run.phase === "loading") return;
      for (const waiter of those) {
        const answer = answerOf(run, waiter.request.foldedSequence);
        if (answer === undefined) continue;
        those.delete(waiter);
        waiter.tell(reply(run.runId, answer));
      }
      if (those.size === 0) waiters.delete(run.runId);
    },
    runs: () => [...waiters.keys()],
    unknown: (runId) => tellAll(runId, { $case: "unknown", value: {} }),
    leave: () => {
      for (const runId of waiters.keys()) tellAll(runId, { $case: "notNow", value: {} });
    },
    sweep: (nowMs) => {
      for (const [runId, those] of waiters) {
        for (const waiter of those) if (waiter.untilMs < nowMs) those.delete(waiter);
        if (those.size === 0) waiters.delete(runId);
      }
    },
  };
}

/** What can be said now to one who waits for a sequence to be folded, 0 for the end; undefined: nothing yet. */
export function answerOf(run: ResidentRun, foldedSequence: number): NonNullable<WaitReply["kind"]> | undefined {
  const { state } = run;
  if (state === undefined) return undefined;
  if (foldedSequence > 0) {
    if (run.seen < foldedSequence || run.mailbox.length > 0) return undefined;
    return { $case: "folded", value: { ignored: run.requests?.get(foldedSequence) ?? true, refusal: "" } };
  }
  if (state.phase === "void") return { $case: "unknown", value: {} };
  return state.ended === undefined ? undefined : { $case: "ended", value: state.ended };
}

/** An answer about a run. */
export function reply(runId: RunId, kind: NonNullable<WaitReply["kind"]>): WaitReply {
  return { kind, runId: fromHex(runId) };
}
