import { advance } from "../../../orchestrator/src/engine/advance.ts";
import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { payloadToLoad } from "../../../orchestrator/src/engine/payload.ts";
import type { LogRecord } from "../../../orchestrator/src/engine/record.ts";
import { resume } from "../../../orchestrator/src/engine/snapshot/resume.ts";
import { attemptName } from "../../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { ExportedRun } from "../../../proto/json/exportedRun.ts";
import { askedBy, endKey, endText } from "./asked.ts";

/** Where a recorded run and a definition part. */
export interface Difference {
  /** Of the record behind which they do; the record itself does not fit when `expected` is what it tells. */
  readonly sequence: number;
  readonly storedMs: number;
  /** Path of the step; empty: the run itself. */
  readonly step: string;
  readonly recorded: string;
  readonly replayed: string;
}

/** What a replay came to. */
export type Replayed =
  | { readonly kind: "same"; readonly records: number; readonly isEnded: boolean }
  | { readonly kind: "different"; readonly difference: Difference }
  /** A payload that is kept apart, and that the definition reads, is not in the file. */
  | { readonly kind: "lacks"; readonly sequence: number; readonly what: string };

/**
 * Folds the records of a run under another definition, and by this engine, up to the first that it would not have led to: an outcome of a call that it has
 * not made, a timer that it has not set, another end. Where the run's own plan is known, what both ask for is compared after each record too.
 */
export function replayRun(run: ExportedRun, own: LoadedPlan | undefined, other: LoadedPlan): Replayed {
  const { records, runId } = run;
  // A snapshot holds indexes of steps, which mean something in its own plan alone.
  const resumed = resume(other, runId, records);
  const state = resumed.state;
  const recorded = own === undefined ? undefined : resume(own, runId, records).state;
  for (const record of resumed.records) {
    const payload = payloadToLoad(other, record);
    if (payload !== undefined) return { kind: "lacks", sequence: record.sequence, what: payload.id };
    const misfit = misfitOf(other, state, record);
    if (misfit !== undefined) return { kind: "different", difference: { ...placeOf(record), ...misfit } };
    const turn = advance(other, state, record);
    const before = own === undefined || recorded === undefined ? undefined : advance(own, recorded, record);
    const parted = before === undefined || own === undefined ? undefined : partedAt(own, before, other, turn);
    if (parted !== undefined) return { kind: "different", difference: { ...placeOf(record), ...parted } };
  }
  return { kind: "same", records: records.length, isEnded: state.ended !== undefined };
}

function placeOf({ sequence, storedMs }: LogRecord): Pick<Difference, "sequence" | "storedMs"> {
  return { sequence, storedMs };
}

type Misfit = Pick<Difference, "step" | "recorded" | "replayed">;

/** Why a record can't have come of the run as it stands; undefined: it can. */
function misfitOf(plan: LoadedPlan, state: RunState, { fact }: LogRecord): Misfit | undefined {
  if (fact.kind === "outcome") {
    const { attempt, kind } = fact.outcome;
    if (attempt === undefined || !fact.authentic || state.attempts.has(attemptName(attempt))) return undefined;
    // Late ones are ignored by their own run, too: the step has been there then.
    if (state.steps.has(attempt.step) || state.compensations.has(attempt.step)) return undefined;
    const what = `the call of ${attempt.step} (attempt ${attempt.attempt}) ${kind?.$case ?? "ended"}`;
    return { step: attempt.step, recorded: what, replayed: `has not made that call: ${standsAt(state)}` };
  }
  const { kind } = fact.event;
  if (kind?.$case === "timerFired") {
    const { number, dueMs } = kind.value;
    const timer = state.timers.get(number);
    if (timer === undefined ? number <= state.lastTimer : timer.dueMs === dueMs) return undefined;
    const due = new Date(dueMs).toISOString();
    const other =
      timer === undefined ? "has set no such timer" : `has set it to ${new Date(timer.dueMs).toISOString()}`;
    return { step: "", recorded: `timer ${number} fired, due at ${due}`, replayed: `${other}: ${standsAt(state)}` };
  }
  if (kind?.$case !== "runEnded") return undefined;
  const { ending } = state;
  if (ending !== undefined && endKey(ending.ended) === endKey(kind.value)) return undefined;
  const replayed = ending === undefined ? `goes on: ${standsAt(state)}` : `ends ${endText(plan, ending.ended)}`;
  return { step: kind.value.step, recorded: `ended ${endText(plan, kind.value)}`, replayed };
}

function standsAt({ steps, compensations }: RunState): string {
  const open = [...steps.values(), ...compensations.values()].filter(({ endedMs }) => endedMs === 0);
  const paths = open.map(({ path }) => path);
  return paths.length === 0 ? "no step of it is open" : `it stands at ${paths.slice(0, 5).join(", ")}`;
}

/** The first thing that one of them asks for and the other does not. */
function partedAt(own: LoadedPlan, before: Turn, other: LoadedPlan, after: Turn): Misfit | undefined {
  const recorded = before.commands.flatMap((command) => askedBy(own, command) ?? []);
  const replayed = after.commands.flatMap((command) => askedBy(other, command) ?? []);
  const count = Math.max(recorded.length, replayed.length);
  for (let index = 0; index < count; index++) {
    const [was, is] = [recorded[index], replayed[index]];
    if (was?.text === is?.text && was?.step === is?.step) continue;
    const said = (one: typeof was): string =>
      one === undefined ? "asks for nothing more" : `${one.step === "" ? "" : `${one.step} `}${one.text}`;
    return { step: was?.step ?? is?.step ?? "", recorded: said(was), replayed: said(is) };
  }
  return undefined;
}
