import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { rerunPlace } from "../engine/rerun.ts";
import { evaluateQuery } from "../engine/query.ts";
import { unlessAborted } from "./abort.ts";
import { explainRun } from "./explaining.ts";
import { findRun, planOfRun, startedEvent } from "./find.ts";
import { lookAtMigration, migrateRun } from "./migrating.ts";
import type { Front, Question, QueryAnswer, Unavailable, Unknown } from "./front.ts";
import { changeHolds } from "./holds.ts";
import type { HoldsGround } from "./holds.ts";
import { openHistories } from "./histories.ts";
import { takenBy, inspectRun, isHidden, readRecords, readState, showState } from "./inspect.ts";
import { LostPayload } from "./loading.ts";
import type { Folded, InspectGround } from "./inspect.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { late, toRequest } from "./requests.ts";
import { toStart } from "./start.ts";
import type { StartGround } from "./start.ts";
import { theEnd, theFold, theYields, waitFor } from "./wait.ts";
import type { WaitGround } from "./wait.ts";

/** What answering callers needs. */
export type CallersGround = StartGround & WaitGround & InspectGround & HoldsGround;

/** What callers may ask of runs, whoever owns their partition. */
export function toFront(ground: CallersGround): Front {
  const request = toRequest(ground);
  return {
    ...shows(ground),
    start: toStart(ground),
    wait: async (runId, signal) => {
      const waited = await waitFor(ground, runId, theEnd, signal);
      if (waited === "aborted") return { kind: "aborted" };
      if (waited.$case !== "ended") return { kind: "unknown" };
      return { kind: "ended", ended: await withResponse(ground, waited.value, signal) };
    },
    follow: (runId, from, signal) => follow(ground, runId, from, signal),
    changed: async (runId, after, signal) => {
      const waited = await waitFor(ground, runId, theFold(after + 1), signal);
      if (waited === "aborted") return { kind: "aborted" };
      return { kind: waited.$case === "unknown" ? "unknown" : "changed" };
    },
    find: (workflow, key) =>
      orUnavailable(async () => {
        const runId = await findRun(ground, workflow, key);
        return runId === undefined ? { kind: "unknown" } : { kind: "found", runId };
      }),
    planOf: (runId, suits) =>
      orUnavailable(async () => {
        const here = readHere(ground, runId);
        const plan = here?.plan ?? (await planOfRun(ground, runId, suits));
        return plan === undefined ? { kind: "unknown" } : { kind: "plan", plan };
      }),
    starterOf: (runId) =>
      orUnavailable(async () => {
        const started = await startedEvent(ground, runId);
        return started === undefined ? { kind: "unknown" } : { kind: "starter", actor: started.actor };
      }),
    query: (runId, question) => orUnavailable(() => query(ground, runId, question)),
    request: (runId, asked, signal) =>
      unlessAborted(
        signal,
        orUnavailable(() => request(runId, asked, signal)),
        late,
      ),
    rerunPlace: (runId, step) =>
      orUnavailable(async () => {
        const found = await readState(ground, runId);
        if (found === undefined) return { kind: "unknown" };
        return found.state.ended === undefined ? { kind: "live" } : rerunPlace(found.plan, found.state, step);
      }),
    fateOf: (runId, requestId) =>
      orUnavailable(async () => ({ kind: "fate", taken: await takenBy(ground, runId, requestId) })),
    migration: (runId, planHash) =>
      orUnavailable(async () => (await lookAtMigration(ground, runId, planHash)) ?? { kind: "unknown" }),
    migrate: (runId, asked, signal) => orUnavailable(() => migrateRun(ground, runId, asked, signal)),
    holds: () => orUnavailable(async () => ({ kind: "holds", holds: (await ground.holds.read()).holds.hold })),
    changeHolds: (change) => orUnavailable(() => changeHolds(ground, change)),
  };
}

/** Runs as they are shown. */
function shows(ground: CallersGround): Pick<Front, "get" | "look" | "explain" | "history" | "records"> {
  const histories = openHistories(ground);
  return {
    get: (runId) =>
      orUnavailable(async () => {
        const found = await inspectRun(ground, runId);
        return found === undefined ? { kind: "unknown" } : { kind: "run", ...found };
      }),
    look: (runId) =>
      orUnavailable(async () => {
        const found = await readHereOrLog(ground, runId);
        if (found === undefined) return { kind: "unknown" };
        const { plan, state } = found;
        return { kind: "run", ...(await showState(ground, { plan, state, sequence: state.lastSequence })) };
      }),
    explain: (runId, elsewhere) =>
      orUnavailable(async () => {
        const found = await readHereOrLog(ground, runId);
        if (found === undefined) return { kind: "unknown" };
        return { kind: "explained", explained: await explainRun(ground, found, elsewhere) };
      }),
    history: (runId, after, limit) =>
      orUnavailable(async () => {
        const history = await histories.read(runId, after, limit);
        return history === undefined ? { kind: "unknown" } : { kind: "history", ...history };
      }),
    records: (runId) =>
      orUnavailable(async () => {
        const found = await readRecords(ground, runId);
        return found === undefined ? { kind: "unknown" } : { kind: "records", ...found };
      }),
  };
}

/** The end with its response, where that is kept apart. */
async function withResponse(ground: CallersGround, ended: RunEnded, signal: AbortSignal): Promise<RunEnded> {
  const ref = ended.responsePayload;
  if (ref === undefined) return ended;
  const nextPauseMs = growingPause(50, 2000);
  for (;;) {
    try {
      const response = await ground.payloads.get(ref);
      if (response === undefined) throw new LostPayload(0);
      return { ...ended, response, responsePayload: undefined };
    } catch (error) {
      if (error instanceof LostPayload || signal.aborted) throw error;
      await pause(nextPauseMs(), signal);
    }
  }
}

async function follow(
  ground: CallersGround,
  runId: RunId,
  from: number,
  signal: AbortSignal,
): ReturnType<Front["follow"]> {
  const waited = await waitFor(ground, runId, theYields(from), signal);
  if (waited === "aborted") return { kind: "aborted" };
  switch (waited.$case) {
    case "yields":
      return { kind: "yields", ...waited.value };
    case "ended":
      return { kind: "ended", ended: await withResponse(ground, waited.value, signal) };
    case "unknown":
    case "folded":
      return { kind: "unknown" };
  }
}

function readHere(ground: CallersGround, runId: RunId): Pick<Folded, "plan" | "state"> | undefined {
  const partition = partitionOf(ground.layouts, runId);
  return partition === undefined ? undefined : ground.held(partition)?.resident(runId);
}

/** The run in memory where this orchestrator owns it, else from its log; undefined: there is none. */
async function readHereOrLog(ground: CallersGround, runId: RunId): Promise<Pick<Folded, "plan" | "state"> | undefined> {
  const found = readHere(ground, runId) ?? (await readState(ground, runId));
  return found === undefined || isHidden(found.state) ? undefined : found;
}

async function query(ground: CallersGround, runId: RunId, question: Question): Promise<QueryAnswer | Unknown> {
  const found = await readHereOrLog(ground, runId);
  if (found === undefined) return { kind: "unknown" };
  const { plan, state } = found;
  const asked = plan.queries.find(({ method }) => method === question.method);
  if (asked === undefined) return { kind: "noQuery" };
  const evaluated = evaluateQuery(state, asked, question.request);
  return evaluated.kind === "failed" ? evaluated : { kind: "answer", response: evaluated.response };
}

async function orUnavailable<T>(read: () => Promise<T>): Promise<T | Unavailable> {
  try {
    return await read();
  } catch (error) {
    return { kind: "unavailable", message: errorText(error) };
  }
}
