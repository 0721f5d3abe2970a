import type { Bulk } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { BulkStore } from "./bulks.ts";
import { openGate } from "../../../runtime/src/gate.ts";

/** What became of a run's turn. */
export type Acted =
  | { readonly kind: "done" }
  /** It does not fit the run: a reason of google.rpc.ErrorInfo. */
  | { readonly kind: "refused"; readonly reason: string; readonly message: string }
  /** Nobody said in time; it may have been done. */
  | { readonly kind: "unanswered"; readonly reason: string; readonly message: string };

/** A run of a list, by what lists are ordered by. */
export interface BulkRun {
  readonly id: string;
  readonly startedMs: number;
}

export interface BulkWorkOptions {
  readonly store: BulkStore;
  /** Whether it falls to us now; two at once do no harm. */
  readonly isOurs: () => boolean;
  /** The next runs that a bulk is meant for, newest first; undefined: the index does not know all runs yet. Rejects while it does not answer. */
  readonly next: (
    bulk: Bulk,
    after: { readonly startedMs: number; readonly id: string },
    limit: number,
  ) => Promise<readonly BulkRun[] | undefined>;
  /** Acts on one run. `isRepeat`: it may have been done before, by one who has not come to note it. Never rejects. */
  readonly act: (bulk: Bulk, runId: RunId, isRepeat: boolean) => Promise<Acted>;
  readonly now: () => number;
  readonly logger: Log;
  /** How often it is looked whether there is a new one. */
  readonly everyMs?: number;
}

/** Runs that are looked up and acted on before that is noted: what a crash makes the next owner look at again. */
const pendingMax = 100;
const actionsAtOnce = 32;
/** How often one run is asked anew when nobody answers for it, while others are answered. */
const triesMax = 3;
const refusalsMax = 16;

/**
 * Carries out actions on many runs, each at its rate, in the order of lists. Which runs are next is noted in the record before they are acted on: the
 * action may take them out of the filter. Whoever goes on after a crash looks at those again, and finds what was done by its request's id. Disposing of it leaves them to the next owner.
 */
export function openBulkWork(options: BulkWorkOptions): Disposable {
  const over = new AbortController();
  void workAlways(options, over.signal);
  return { [Symbol.dispose]: () => over.abort() };
}

async function workAlways(options: BulkWorkOptions, signal: AbortSignal): Promise<void> {
  const { store, isOurs, logger, everyMs = 1_000 } = options;
  const working = new Set<string>();
  for (let told = ""; !signal.aborted; await pause(everyMs, signal)) {
    if (!isOurs()) continue;
    try {
      for (const { id, endedMs } of await store.list()) {
        if (endedMs > 0 || working.has(id)) continue;
        working.add(id);
        void workOn(options, id, signal).finally(() => working.delete(id));
      }
      told = "";
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told && !signal.aborted) logger.warn("actions on many runs can't be read now", { error: reason });
      told = reason;
    }
  }
}

/** Until it has ended, or falls to somebody else. */
async function workOn(options: BulkWorkOptions, id: string, signal: AbortSignal): Promise<void> {
  const { store, isOurs, logger } = options;
  let isRepeat = true;
  let nextPauseMs = growingPause(200, 5_000);
  for (let told = ""; !signal.aborted && isOurs();) {
    try {
      const bulk = (await store.list()).find((one) => one.id === id);
      if (bulk === undefined || bulk.endedMs > 0) return;
      const went = await workOnSome(options, bulk, isRepeat, signal);
      if (went === "left") return;
      // What was tried and could not be noted is looked at again.
      isRepeat = went === "waits";
      told = "";
      if (went === "waits") await pause(nextPauseMs(), signal);
      else nextPauseMs = growingPause(200, 5_000);
    } catch (error) {
      isRepeat = true;
      const reason = errorText(error);
      if (reason !== told && !signal.aborted) logger.warn("an action on many runs waits", { bulk: id, error: reason });
      told = reason;
      await pause(nextPauseMs(), signal);
    }
  }
}

/** Acts on the runs that were looked up last; notes what became of them together with those that are next. */
async function workOnSome(
  options: BulkWorkOptions,
  bulk: Bulk,
  isRepeat: boolean,
  signal: AbortSignal,
): Promise<"went on" | "waits" | "left"> {
  const { next, now, logger } = options;
  const acted = await actOnAll(options, bulk, isRepeat, signal);
  if (acted === undefined) return "waits";
  const limit = Math.max(1, Math.min(pendingMax, Math.ceil(bulk.rate / 2)));
  const runs = await next(bulk, cursorOf(bulk), limit);
  const last = runs?.at(-1);
  if (runs === undefined && acted.size === 0) return "waits";
  const noted = await note(options, bulk, (one) => ({
    ...counted(one, acted),
    pendingRunId: runs?.map(({ id }) => id) ?? [],
    ...(last === undefined ? {} : { cursorRunId: last.id, cursorStartedMs: last.startedMs }),
    ...(runs?.length === 0 ? { endedMs: now() } : {}),
  }));
  if (noted === undefined) return "left";
  const { id, done, refused, endedMs } = noted;
  if (endedMs === 0) return "went on";
  logger.info("an action on many runs has ended", { bulk: id, done, refused });
  return "left";
}

/** What became of each run, at the rate of the bulk; undefined: nobody answers for any of them, or it is over. */
async function actOnAll(
  { act, now }: BulkWorkOptions,
  bulk: Bulk,
  isRepeat: boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Acted> | undefined> {
  const acted = new Map<string, Acted>();
  const { pendingRunId: pending, rate } = bulk;
  const until = async (atMs: number): Promise<void> => {
    const leftMs = atMs - now();
    if (leftMs > 0) await pause(leftMs, signal);
  };
  let left = pending;
  for (let round = 0; round < triesMax && left.length > 0; round++) {
    const gate = openGate(actionsAtOnce);
    const startedMs = now();
    const again = isRepeat || round > 0;
    const turn = async (id: string, at: number): Promise<void> => {
      await until(startedMs + (at * 1_000) / rate);
      const runId = parseRunId(id);
      if (runId !== undefined && !signal.aborted) acted.set(id, await act(bulk, runId, again));
    };
    await Promise.all(left.map((id, at) => gate(() => turn(id, at))));
    await until(startedMs + (left.length * 1_000) / rate);
    if (signal.aborted) return undefined;
    left = pending.filter((id) => acted.get(id)?.kind === "unanswered");
  }
  return left.length === pending.length && left.length > 1 ? undefined : acted;
}

/** The bulk as it stands now; undefined: somebody else has gone on with it meanwhile. One that was stopped keeps its end. */
async function note({ store }: BulkWorkOptions, from: Bulk, change: (bulk: Bulk) => Bulk): Promise<Bulk | undefined> {
  let noted: Bulk | undefined;
  const isChanged = await store.change((bulks) => {
    const stands = bulks.find(({ id }) => id === from.id);
    noted = undefined;
    if (stands === undefined || !isSame(stands, from)) return undefined;
    const after = change(stands);
    noted = stands.endedMs > 0 ? { ...after, endedMs: stands.endedMs, pendingRunId: [] } : after;
    return bulks.map((one) => (one === stands && noted !== undefined ? noted : one));
  });
  if (!isChanged) throw new Error("others change the record of actions on many runs all the time");
  return noted;
}

function isSame(a: Bulk, b: Bulk): boolean {
  return a.cursorRunId === b.cursorRunId && a.pendingRunId.length === b.pendingRunId.length;
}

function counted(bulk: Bulk, acted: ReadonlyMap<string, Acted>): Bulk {
  const refusals = new Map(bulk.refusal.map((one) => [one.reason, one]));
  let { done, refused } = bulk;
  for (const [runId, one] of acted) {
    if (one.kind === "done") {
      done++;
      continue;
    }
    refused++;
    const reason = refusals.size < refusalsMax || refusals.has(one.reason) ? one.reason : "OTHER";
    const before = refusals.get(reason) ?? { reason, runs: 0, message: one.message.slice(0, 500), runId };
    refusals.set(reason, { ...before, runs: before.runs + 1 });
  }
  return { ...bulk, done, refused, refusal: [...refusals.values()] };
}

/** Behind all runs that had started when it began. */
function cursorOf({ cursorRunId, cursorStartedMs, startedMs }: Bulk): {
  readonly startedMs: number;
  readonly id: string;
} {
  return cursorRunId === ""
    ? { startedMs: Math.floor(startedMs) + 1, id: "" }
    : { startedMs: cursorStartedMs, id: cursorRunId };
}
