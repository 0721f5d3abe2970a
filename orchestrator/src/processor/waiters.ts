import type { WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { yieldedFrom } from "../engine/yields.ts";
import type { ResidentRun } from "./residentRun.ts";

/** What is waited for: a sequence to be folded, messages from a number on, else the end. */
export type WaitedFor = Pick<WaitRequest, "foldedSequence" | "yields" | "yieldsFrom">;

/** Front doors that wait for the end of a run, for what it yields, or for a request to be folded. */
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

/** What one answer carries of a stream; more is asked for again. */
const yieldsBytesMax = 256 * 1024;

/** One who waits. `tell` is called once. */
export interface Waiter {
  readonly request: WaitedFor;
  readonly tell: (reply: WaitReply) => void;
  /** Local ones stay until they are told; others have to ask again. */
  readonly untilMs: number;
}

/** Nobody waits yet. */
export function openWaiters(): Waiters {
  // Who waits for the end is not looked for while a run just goes on, which is nearly always.
  const forEnd: Table = new Map();
  const forMore: Table = new Map();
  const tables = [forEnd, forMore];
  return {
    add: (runId, waiter) => {
      const table = waiter.request.yields || waiter.request.foldedSequence > 0 ? forMore : forEnd;
      const those = table.get(runId);
      if (those === undefined) table.set(runId, new Set([waiter]));
      else those.add(waiter);
      return () => void table.get(runId)?.delete(waiter);
    },
    look: (run) => {
      if (run.phase === "loading") return;
      if (forMore.size > 0) lookIn(forMore, run);
      if (hasEnd(run)) lookIn(forEnd, run);
    },
    runs: () => [...new Set(tables.flatMap((table) => [...table.keys()]))],
    unknown: (runId) => tables.forEach((table) => tellAll(table, runId, { $case: "unknown", value: {} })),
    leave: () => {
      for (const table of tables)
        for (const runId of table.keys()) tellAll(table, runId, { $case: "notNow", value: {} });
    },
    sweep: (nowMs) => {
      for (const table of tables) {
        for (const [runId, those] of table) {
          for (const waiter of those) if (waiter.untilMs < nowMs) those.delete(waiter);
          if (those.size === 0) table.delete(runId);
        }
      }
    },
  };
}

type Table = Map<RunId, Set<Waiter>>;

function tellAll(table: Table, runId: RunId, kind: NonNullable<WaitReply["kind"]>): void {
  const those = table.get(runId);
  table.delete(runId);
  for (const { tell } of those ?? []) tell(reply(runId, kind));
}

function lookIn(table: Table, run: ResidentRun): void {
  const those = table.get(run.runId);
  if (those === undefined) return;
  for (const waiter of those) {
    const answer = answerOf(run, waiter.request);
    if (answer === undefined) continue;
    those.delete(waiter);
    waiter.tell(reply(run.runId, answer));
  }
  if (those.size === 0) table.delete(run.runId);
}

/** Is there anything to tell who waits for its end? */
function hasEnd({ state, lock }: ResidentRun): boolean {
  return lock !== undefined || (state !== undefined && (state.ended !== undefined || state.phase === "void"));
}

/** What can be said now to one who waits; undefined: nothing yet. */
export function answerOf(run: ResidentRun, waitedFor: WaitedFor): NonNullable<WaitReply["kind"]> | undefined {
  const { state, lock } = run;
  if (lock !== undefined) return { $case: "unknown", value: {} };
  if (state === undefined) return undefined;
  if (waitedFor.foldedSequence > 0) return foldedAnswer(run, waitedFor.foldedSequence);
  if (state.phase === "void") return { $case: "unknown", value: {} };
  if (waitedFor.yields) {
    const value = yieldedFrom(state.yields, waitedFor.yieldsFrom, yieldsBytesMax);
    if (value !== undefined) return { $case: "yields", value };
  }
  return state.ended === undefined ? undefined : { $case: "ended", value: state.ended };
}

function foldedAnswer(run: ResidentRun, sequence: number): NonNullable<WaitReply["kind"]> | undefined {
  if (run.seen < sequence || run.mailbox.length > 0) return undefined;
  const value = run.requests?.get(sequence) ?? { ignored: true, refusal: "" };
  return { $case: "folded", value };
}

/** An answer about a run. */
export function reply(runId: RunId, kind: NonNullable<WaitReply["kind"]>): WaitReply {
  return { kind, runId: fromHex(runId) };
}
