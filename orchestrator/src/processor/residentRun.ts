import type { LoadedPlan } from "../engine/plan.ts";
import type { LockState } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import type { RunState } from "../engine/state.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { AtHand } from "./ports.ts";

/** A run, or a lock, in memory, with what its owner remembers of it beside its state. Owned by its partition's loop. */
export interface ResidentRun {
  readonly runId: RunId;
  /** `loading`: records wait in the mailbox. `orphan`: its log has no start. `corrupt`: its own fold fails; it is left alone. */
  phase: "loading" | "ready" | "orphan" | "corrupt";
  state: RunState | undefined;
  plan: LoadedPlan | undefined;
  /** Its log has no start because it was deleted: it had ended. */
  isDeleted: boolean;
  /** Set when this is no run but a lock, which has neither state nor plan. */
  lock: LockState | undefined;
  /** What has come and is not taken yet, in order. */
  mailbox: Waiting[];
  /** Its mailbox waits for a portion of what is due. */
  isDue: boolean;
  /** Sequence of the last message delivered, garbage included. */
  seen: number;
  /** The same, of `.e` alone. */
  seenEvent: number;
  /** Things that are not durable yet; short timers are. */
  unacked: number;
  touchedMs: number;
  /** Timers that are due too soon for a schedule, or that are not scheduled yet, by number. */
  shortTimers: Map<number, ShortTimer> | undefined;
  /** Schedules on their way, by name: what cancels one has to come after it. */
  arming: Map<number | string, Promise<unknown>> | undefined;
  /** What is being written elsewhere in its name, the last of each chain. */
  chains: Map<string, Promise<unknown>> | undefined;
  /** Who was told last that the attempt is open, by attempt key. */
  grants: Map<string, Grant> | undefined;
  /** What became of requests of callers, by their sequence; the last few. */
  requests: Map<number, { readonly ignored: boolean; readonly refusal: string }> | undefined;
  /** Records folded since its start or its last Snapshot. */
  folded: number;
  /** Its plan is that of the last migration up to here. */
  plannedThrough: number;
  /** A Snapshot of it is on its way. */
  isSummingUp: boolean;
  /** The log has nothing of it up to here. */
  cutThrough: number;
  /** Called once `seen` has reached a sequence and nothing waits in the mailbox. */
  watchers: { readonly sequence: number; readonly resolve: () => void }[] | undefined;
}

/** A record in a mailbox. */
export interface Waiting {
  readonly record: LogRecord;
  /** Of its message. */
  readonly sizeBytes: number;
}

export interface ShortTimer {
  readonly timeout: NodeJS.Timeout;
  readonly hold: number;
  readonly dueMs: number;
}

export interface Grant {
  readonly sidecarId: string;
  readonly atMs: number;
}

/** A run whose records wait until its state and plan are there. */
export function toResidentRun(runId: RunId, nowMs: number): ResidentRun {
  return {
    runId,
    phase: "loading",
    state: undefined,
    plan: undefined,
    lock: undefined,
    isDeleted: false,
    mailbox: [],
    isDue: false,
    seen: 0,
    seenEvent: 0,
    unacked: 0,
    touchedMs: nowMs,
    shortTimers: undefined,
    arming: undefined,
    chains: undefined,
    grants: undefined,
    requests: undefined,
    folded: 0,
    plannedThrough: 0,
    isSummingUp: false,
    cutThrough: 0,
    watchers: undefined,
  };
}

/** Nothing would be lost but a later load. */
export function isEvictable(run: ResidentRun): boolean {
  return run.phase !== "loading" && run.mailbox.length === 0 && run.unacked === 0 && (run.watchers?.length ?? 0) === 0;
}

/** What of a run waits in its mailbox and need not be read; undefined: no event does. */
export function atHandOf({ mailbox }: ResidentRun): AtHand | undefined {
  const from = mailbox[0]?.record.sequence;
  const events = mailbox.filter(({ record }) => record.fact.kind === "event").length;
  return from === undefined || events === 0 ? undefined : { from, events };
}
