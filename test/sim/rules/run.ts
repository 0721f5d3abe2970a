import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import type { PublishTask } from "../../../orchestrator/src/engine/command.ts";
import type { CallPlan, LoadedPlan, StepPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { LiveStep } from "../../../orchestrator/src/engine/live.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { forgetUnknownFields } from "../../../orchestrator/src/engine/testing/snapshot.ts";
import type { Transition } from "../../../orchestrator/src/engine/transition.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Engine } from "../engine.ts";
import { givenResult } from "../people.ts";
import type { Execution } from "../performed.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import type { Judge } from "./judge.ts";
import { isSameState } from "./same.ts";
import { noteFit } from "./fits.ts";
import { openWatch } from "./watch.ts";
import type { Watched } from "./watch.ts";

/** What the end of a run may ask for. */
const partings: ReadonlySet<string> = new Set(["cancelTimer", "tellParent", "releaseLock"]);

/** What an ended run may ask for: a lock that comes too late goes back; people have it gone on for, or deleted. */
const afterwards: ReadonlySet<string> = new Set(["releaseLock", "startRerun", "deleteRun"]);

/** After each turn: an ignored record asks for nothing new, and an ended run for nothing but to give back what it has. */
export function checkTurn(judge: Judge, state: RunState, turn: Turn, wasEnded: boolean): void {
  if (turn.ignored && turn.commands.some(({ kind }) => kind !== "endRun"))
    judge.violations.push("an ignored record asked for something");
  if (turn.ignored && turn.transitions.length > 0) judge.violations.push("an ignored record moved something");
  if (wasEnded && turn.commands.some(({ kind }) => !afterwards.has(kind)))
    judge.violations.push("an ended run asked for something");
  if (state.ended !== undefined && !wasEnded && turn.commands.some(({ kind }) => !partings.has(kind)))
    judge.violations.push("the end asked for more than to leave all in order");
  if (state.worklist.length > 0) judge.violations.push("a turn left work behind");
}

/** PROTOCOL §12.6: equal ids have equal bytes. */
export function checkTask(judge: Judge, published: Map<string, string>, id: string, task: PublishTask): void {
  const bytes = [task.method, new TextDecoder().decode(task.request), task.timeoutMs, task.claim].join("|");
  const before = published.get(id);
  published.set(id, bytes);
  if (before !== undefined && before !== bytes) judge.violations.push(`6: two tasks of the id ${id}`);
}

/** A run as its log adds up, folded by one who has never seen it. */
export interface Refolded {
  readonly runId: string;
  readonly plan: LoadedPlan;
  readonly state: RunState;
  readonly transitions: readonly Transition[];
  readonly commands: Turn["commands"];
  readonly watched: Watched;
  /** Its end was decided on all that stands before it. */
  readonly isEndSound: boolean;
}

/** Folds a run's log from its start. */
export function refold(engine: Engine, plan: LoadedPlan, records: readonly StoredRecord[], runId: string): Refolded {
  const state = engine.newRun(runId);
  const transitions: Transition[] = [];
  const commands: Turn["commands"][number][] = [];
  const watch = openWatch();
  let isEndSound = true;
  for (const entry of records) {
    if (entry.runId !== runId) continue;
    const { fact } = entry.record;
    if (fact.kind === "event" && fact.event.kind?.$case === "runEnded" && state.ended === undefined) {
      isEndSound = state.ending?.expectedEvent === state.lastEvent;
      watch.beforeEnd(state);
    }
    const fit = noteFit(plan, state, entry.record);
    const turn = engine.advance(plan, state, entry.record);
    watch.after(state, entry.record, turn);
    const misfit = fit?.(turn.ignored);
    if (misfit !== undefined) watch.watched.broken.push(misfit);
    transitions.push(...turn.transitions);
    commands.push(...turn.commands);
  }
  return { runId, plan, state, transitions, commands, watched: watch.watched, isEndSound };
}

/** PROTOCOL §12.4: live state = refold. */
export function checkSame(judge: Judge, live: RunState, again: Refolded): void {
  forgetUnknownFields(live);
  forgetUnknownFields(again.state);
  if (!isSameState(live, again.state))
    judge.violations.push(`4: the live state of ${again.runId} is not what its log adds up to`);
}

/** What must hold of a run once all is quiet. */
export function checkRun(judge: Judge, run: Refolded, executions: readonly Execution[]): void {
  const { state, runId } = run;
  const tell = (rule: string): void => void judge.violations.push(`${rule} (${runId})`);
  if (state.ended === undefined) {
    tell(`1: the run does not end: ${state.phase}`);
    return;
  }
  if (!run.isEndSound) tell("4: the end does not know of all that came before it");
  const own = executions.filter((it) => it.runId === runId);
  const forward = own.filter((it) => it.phase === Phase.FORWARD);
  checkOrder(run, own, tell);
  checkUndone(run, forward, tell);
  checkAttempts(run, tell);
  checkIncidents(run, tell);
  if (judge.isQuiet) {
    const attempts = new Set(own.map((it) => `${it.step}/${it.phase}/${it.attempt}`));
    if (attempts.size !== own.length) tell("3: without faults an attempt was made twice");
  }
  for (const step of state.steps.values()) {
    if (step.call === undefined || step.state.kind !== "completed") continue;
    const answer = new TextDecoder().decode(step.result?.bytes);
    // What was taken over another run's calls have given.
    if (answer === givenResult || takenOver(run).includes(step.path)) continue;
    if (!forward.some((it) => it.answer === answer && it.effectAt !== undefined))
      tell(`7: ${step.path} has a result that no call gave`);
  }
}

/** PROTOCOL §12.2: nobody begins a call whose attempt has been closed, apart from what was on its way. */
export function checkClosed(
  judge: Judge,
  executions: readonly Execution[],
  closedAt: ReadonlyMap<string, number>,
): void {
  for (const { id, startedAt } of executions) {
    if (startedAt > (closedAt.get(id) ?? Infinity) + 2_000) judge.violations.push(`2: ${id} began after it was closed`);
  }
}

/** PROTOCOL §12.2: nothing forward happens once anything has been undone; no step begins before the one before it is over. */
function checkOrder({ plan }: Refolded, own: readonly Execution[], tell: (rule: string) => void): void {
  const undoes = own.filter((it) => it.phase === Phase.COMPENSATE);
  const first = (of: readonly Execution[]): number => Math.min(...of.map((it) => it.startedAt));
  const firstOfAll = first(undoes);
  for (const it of own) {
    if (it.phase !== Phase.FORWARD) continue;
    // Where parts are undone by themselves others go on; the undone step itself never does.
    const undoneAt = hasScopes(plan) ? first(undoes.filter(({ step }) => isUndoOf(step, it.step))) : firstOfAll;
    if (Math.max(it.startedAt, it.effectAt ?? 0) > undoneAt) tell(`2: ${it.step} happened after something was undone`);
  }
  const inOrder = plan.body.steps.filter((step) => step.action.kind === "call").map((step) => step.name);
  let before = -Infinity;
  for (const name of inOrder) {
    const begun = own.filter((it) => it.phase === Phase.FORWARD && it.step === name).map((it) => it.startedAt);
    if (begun.length === 0) continue;
    if (Math.min(...begun) < before) tell(`${name} began before the step before it`);
    before = Math.min(...begun);
  }
}

/** Something in the plan may be undone before the run fails, or by more than one call. */
function hasScopes({ steps }: LoadedPlan): boolean {
  return steps.some(
    ({ action, compensate }) =>
      compensate?.undo.kind === "block" ||
      action.kind === "compensateNow" ||
      action.kind === "try" ||
      (action.kind === "parallel" && action.need < action.branches.length),
  );
}

/** A compensating call has the path of its step, one of a compensating block begins with it. */
function isUndoOf(undo: string, step: string): boolean {
  return undo === step || undo.startsWith(`${step}~undo/`);
}

/** PROTOCOL §12.7: undone = completed ∪ maybe executed, last one first, and nothing that happened is left. */
function checkUndone(
  { state, plan, transitions }: Refolded,
  forward: readonly Execution[],
  tell: (rule: string) => void,
): void {
  const undone = [...state.compensations.keys()].filter((path) => !path.includes("~undo/"));
  const isScoped = hasScopes(plan);
  if (state.ended?.state === Run_State.COMPLETED && undone.length > 0 && !isScoped) tell("a completed run was undone");
  const isUndone = state.verdict?.kind === "failed" || state.verdict?.kind === "cancelled";
  if (!isUndone) return;
  const wanted = [...takenOver({ state }, true)];
  for (const it of transitions) {
    if (it.kind !== "stepEnded" || it.address.phase !== Phase.FORWARD || it.plan.compensate === undefined) continue;
    if (it.result === "completed" || it.maybeExecuted) wanted.push(it.address.step);
  }
  const late = undone.filter((path) => !wanted.includes(path));
  if (late.some((path) => state.steps.get(path)?.maybeExecuted !== true))
    tell("7: something was undone that was not done");
  const isOrdered = plan.plan.saga === 0 && !isScoped;
  const inOrder = isOrdered ? undone.filter((path) => wanted.includes(path)) : [...undone].toSorted();
  const expected = isOrdered ? wanted.toReversed() : [...wanted, ...late].toSorted();
  if (inOrder.join() !== expected.join()) tell(`7: undone ${inOrder.join()}, not ${expected.join()}`);
  for (const it of forward) {
    const hasUndo = state.steps.get(it.step)?.plan.compensate !== undefined;
    if (it.effectAt !== undefined && hasUndo && !undone.includes(it.step))
      tell(`7: ${it.step} happened and was not undone`);
  }
}

/** Paths of the steps that stand there as another run left them; only those that are to be undone still. */
function takenOver({ state }: Pick<Refolded, "state">, isOwed = false): readonly string[] {
  const taken = (state.started?.rerun?.taken ?? []).filter(({ owed }) => owed || !isOwed);
  if (taken.length === 0) return [];
  const steps = [...state.steps.values()];
  return taken.flatMap(({ index }) => steps.find(({ plan }) => plan.index === index)?.path ?? []);
}

/** No more attempts than allowed since the last fresh start; one after the other. */
function checkAttempts({ transitions }: Refolded, tell: (rule: string) => void): void {
  const tries = new Map<string, number>();
  const last = new Map<string, number>();
  const plans = new Map<string, LiveStep["plan"]>();
  for (const it of transitions) {
    if (it.kind === "stepBegan") plans.set(`${it.address.step}/${it.address.phase}`, it.plan);
    if (it.kind === "incidentClosed") tries.set(`${it.address.step}/${it.address.phase}`, 0);
    if (it.kind !== "attemptBegan") continue;
    const key = `${it.attempt.step}/${it.attempt.phase}`;
    const plan = plans.get(key);
    const call =
      it.attempt.phase === Phase.COMPENSATE
        ? compensatingCall(plan)
        : plan?.action.kind === "call"
          ? plan.action.call
          : undefined;
    const made = (tries.get(key) ?? 0) + 1;
    tries.set(key, made);
    if (call !== undefined && made > call.retry.attemptsMax) tell(`more attempts of ${key} than allowed`);
    if (it.attempt.attempt !== (last.get(key) ?? 0) + 1) tell(`6: attempts of ${key} are not counted on`);
    last.set(key, it.attempt.attempt);
  }
}

/** A step undone by a block has no compensating call of its own. */
function compensatingCall(plan: StepPlan | undefined): CallPlan | undefined {
  const undo = plan?.compensate?.undo;
  return undo?.kind === "call" ? undo.call : undefined;
}

/** Whoever said that doubt or exhaustion is a person's affair is asked. */
function checkIncidents({ transitions, plan }: Refolded, tell: (rule: string) => void): void {
  for (const it of transitions) {
    if (it.kind !== "stepEnded" || it.address.phase !== Phase.FORWARD || it.result !== "failed") continue;
    const step = plan.steps.find(({ name }) => name === it.address.step);
    if (step?.action.kind !== "call" || it.status === undefined) continue;
    const wasAsked = transitions.some(
      (other) => other.kind === "incidentOpened" && other.address.step === it.address.step,
    );
    const isAnswer = [3, 5, 6, 7, 9, 11, 12, 15, 16].includes(it.status.code);
    if (step.action.call.onExhausted === 0 && step.action.call.onDoubt !== 3 && !isAnswer && !wasAsked)
      tell(`${it.address.step} failed, and nobody was asked`);
  }
}
