import { RunStarted, TakenStep, TakenStep_End as End } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Rerun, RerunRequested } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { StartRerun } from "./command.ts";
import { refuse } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { Frame, LiveStep, Scope, StepState } from "./live.ts";
import { makeOutside } from "./outside.ts";
import type { LoadedPlan } from "./plan.ts";
import { rerunRevision } from "./revision.ts";
import type { RunState } from "./state.ts";
import { makeStep } from "./step.ts";
import { makeCall } from "./steps/call.ts";
import { listUndo, noteUndo } from "./undo.ts";

/** From where on another run may go on, as the index of a step of the body; or why not, in words. */
export type RerunPlace =
  | { readonly kind: "place"; readonly index: number }
  | { readonly kind: "refused"; readonly reason: "CANNOT_RERUN" | "ALREADY_RERUN"; readonly message: string };

/** Bytes of all results that a start carries. */
const takenBytesMax = 512 * 1024;

/** Bytes of the whole start: a server takes messages of 1 MiB at least, of which headers and what is said with the request have their part. */
const startBytesMax = 1024 * 1024 - 16 * 1024;

/** Where another run may begin in place of this one, which has ended. */
export function rerunPlace(plan: LoadedPlan, state: RunState, step: string): RerunPlace {
  if (state.rerun !== undefined) {
    const message = "another run goes on in place of it already: rerun that one";
    return { kind: "refused", reason: "ALREADY_RERUN", message };
  }
  const bound = furthest(plan, state);
  const index = plan.body.steps.findIndex(({ name }) => name === step);
  if (index < 0) {
    const outer = step.split(/[[/~]/)[0] ?? "";
    const isInside = outer !== step && plan.body.steps.some(({ name }) => name === outer);
    return cannot(
      isInside
        ? `${step} stands inside of ${outer}: a run can begin only at a step of the workflow's own block`
        : `the workflow's own block has no step ${JSON.stringify(step)}`,
    );
  }
  if (index <= bound.index) return { kind: "place", index };
  return cannot(`it can't begin at ${step}: ${bound.why}`);
}

function cannot(message: string): RerunPlace {
  return { kind: "refused", reason: "CANNOT_RERUN", message };
}

/** Names of the steps at which another run may begin in place of this one; none of a run that goes on. */
export function rerunSteps(plan: LoadedPlan, state: RunState): readonly string[] {
  if (state.phase !== "ended" || state.rerun !== undefined || state.deleting !== undefined) return [];
  return plan.body.steps.slice(0, furthest(plan, state).index + 1).map(({ name }) => name);
}

/** The last step at which another run may begin, and why none behind it is. */
interface Bound {
  readonly index: number;
  readonly why: string;
}

function furthest(plan: LoadedPlan, state: RunState): Bound {
  const { steps } = plan.body;
  if (state.body === undefined) return { index: -1, why: "the run has not begun" };
  if (state.started?.requestPayload !== undefined)
    return { index: -1, why: "its request is large and kept apart, which can't be taken over" };
  let bound: Bound = { index: steps.length - 1, why: "" };
  const lower = (index: number, why: string): void => {
    if (index < bound.index) bound = { index, why };
  };
  if (plan.plan.streaming) lower(0, "messages that were yielded before it can't be taken over");
  const open = steps.findIndex(({ name }) => !isPassed(state.steps.get(name)));
  if (open >= 0) lower(open, `the run came no further than ${steps[open]?.name}`);
  for (const step of state.compensations.values())
    if (step.state.kind !== "skipped") lower(topOf(plan, step), `what ${step.path} did has been undone`);
  for (const step of owed(state))
    if (!isTakeable(state.body, step))
      lower(topOf(plan, step), `${step.path} is to be undone inside of a pass, which can't be taken over`);
  let bytes = 0;
  let startBytes = bareBytes(state);
  if (startBytes > startBytesMax) return { index: -1, why: "its request is too large to be taken over" };
  for (const step of takeable(plan, state, state.body)) {
    const index = topOf(plan, step);
    if (step.result?.payload !== undefined) lower(index, `the result of ${step.path} is large and kept apart`);
    const resultBytes = step.result?.bytes.length ?? 0;
    bytes += resultBytes;
    startBytes += resultBytes + takenBytes(state, step);
    if (bytes > takenBytesMax) lower(index, `the results up to ${step.path} are too large to be taken over`);
    if (startBytes > startBytesMax)
      lower(index, `with what the steps up to ${step.path} came to, its start would be too large for a message`);
  }
  return bound;
}

/** Bytes of a start in place of the run without anything that is taken over. */
function bareBytes({ started }: RunState): number {
  return started === undefined ? 0 : RunStarted.encode({ ...started, rerun: undefined }).finish().length;
}

/** Bytes of one step in a start, besides its result: tags and lengths are counted generously. */
function takenBytes(state: RunState, step: LiveStep): number {
  return TakenStep.encode({ ...toTaken(state, step, true), result: undefined }).finish().length + 16;
}

function isPassed(step: LiveStep | undefined): boolean {
  return step?.state.kind === "completed" || step?.state.kind === "skipped";
}

/** The step of the body that a step is or stands in, by its place there. One that was taken over stands in the body's own frame, whatever its block is. */
function topOf({ body }: LoadedPlan, step: LiveStep): number {
  let at = step;
  for (let { owner } = at.frame; owner !== undefined; { owner } = at.frame) at = owner;
  // Steps are numbered in document order.
  const { index } = at.plan;
  return Math.max(
    0,
    body.steps.findLastIndex((one) => one.index <= index),
  );
}

/** What would still be undone if the run were. */
function owed({ undo, undoing }: RunState): readonly LiveStep[] {
  return [...listUndo(undo), ...(undoing?.waiting ?? [])];
}

/** Steps that later ones may read, and those that are to be undone, in the order in which they began. */
function takeable(plan: LoadedPlan, state: RunState, body: Frame): readonly LiveStep[] {
  const isOwed = new Set(owed(state));
  const own = new Set(plan.body.steps);
  return [...state.steps.values()].filter((step) => {
    if (step.phase !== Phase.FORWARD || endOf(step) === undefined) return false;
    return own.has(step.plan) || isOwed.has(step) || body.scope.steps.get(step.plan.id) === step;
  });
}

/** It sees no more than what the body's own steps do. */
function isTakeable(body: Frame, { frame, state }: LiveStep): boolean {
  if (state.kind === "cancelled") return false;
  for (let scope: Scope = frame.scope; scope !== body.scope;) {
    if (!scope.sharesSteps || scope.variables.size > 0 || scope.caught !== undefined) return false;
    if (scope.parent === undefined) return false;
    scope = scope.parent;
  }
  return true;
}

function endOf({ state }: LiveStep): End | undefined {
  if (state.kind === "completed") return End.COMPLETED;
  if (state.kind === "skipped") return End.SKIPPED;
  return state.kind === "failed" ? End.FAILED : undefined;
}

/** The first request to go on in place of an ended run counts. */
export function requestRerun(draft: Draft, { step, runId, reason, actor }: RerunRequested): boolean {
  const { plan, state, sequence } = draft;
  if (state.deleting !== undefined) return false;
  const place = rerunPlace(plan, state, step);
  if (place.kind === "refused") return refuse(draft, place.reason);
  state.rerun = { kind: "startRerun", issuedAt: sequence, runId, step, reason, actor };
  draft.commands.push(state.rerun);
  return true;
}

/** The start of the run that goes on in place of one that has ended; undefined: that has no start itself. */
export function rerunStart(
  plan: LoadedPlan,
  state: RunState,
  { runId, step, reason, actor }: StartRerun,
  atMs: number,
): RunStarted | undefined {
  const { started, body } = state;
  const index = plan.body.steps.findIndex(({ name }) => name === step);
  if (started === undefined || body === undefined || index < 0) return undefined;
  const isOwed = new Set(owed(state));
  const before = takeable(plan, state, body).filter((one) => topOf(plan, one) < index);
  const taken = before.map((one) => toTaken(state, one, isOwed.has(one)));
  return {
    ...started,
    // An engine that does not know what a rerun is would begin with its first step.
    engineRevision: Math.max(started.engineRevision, rerunRevision),
    issuedAtMs: atMs,
    trace: { traceId: runId, parentSpanId: new Uint8Array(), sampled: started.trace?.sampled ?? false, tracestate: "" },
    actor,
    parent: undefined,
    detachedFrom: undefined,
    rerun: { runId: fromHex(state.runId), step, reason, actor, taken },
  };
}

function toTaken({ runId, started }: RunState, step: LiveStep, isOwed: boolean): TakenStep {
  const { plan, call, result } = step;
  const before = started?.rerun?.taken.find(({ index }) => index === plan.index);
  return {
    runId: before?.runId ?? fromHex(runId),
    index: plan.index,
    end: endOf(step) ?? End.SKIPPED,
    resultType: result?.type ?? "",
    result: result?.bytes,
    status: step.lastStatus,
    startedAtMs: step.startedMs,
    endedAtMs: step.endedMs,
    generation: step.generation,
    attempt: call?.attempt ?? 0,
    maybeExecuted: step.maybeExecuted,
    owed: isOwed,
    decision: step.outside?.decision,
  };
}

/** The run begins with what the steps before its first one came to elsewhere. */
export function takeOver(draft: Draft, body: Frame, { step, taken }: Rerun): void {
  const { plan, state } = draft;
  for (const one of taken) {
    const of = plan.steps[one.index];
    if (of === undefined) continue;
    const call = of.action.kind === "call" ? makeCall(of.action.call, undefined) : undefined;
    if (call !== undefined) call.attempt = one.attempt;
    const made = makeStep(draft, body, of, Phase.FORWARD, { call, inner: undefined });
    made.generation = one.generation;
    made.startedMs = one.startedAtMs;
    made.endedMs = one.endedAtMs;
    made.result = one.result === undefined ? undefined : { type: one.resultType, bytes: one.result };
    made.maybeExecuted = one.maybeExecuted;
    made.lastStatus = one.status;
    made.state = endState(one, made.path);
    if (one.decision !== undefined) {
      made.outside = makeOutside();
      made.outside.decision = one.decision;
    }
    state.steps.set(made.path, made);
    if (of.id !== "") body.scope.steps.set(of.id, made);
    if (one.owed) noteUndo(draft, made);
  }
  body.position = Math.max(
    0,
    plan.body.steps.findIndex(({ name }) => name === step),
  );
}

function endState({ end, status }: TakenStep, path: string): StepState {
  if (end === End.COMPLETED) return { kind: "completed" };
  if (end !== End.FAILED || status === undefined) return { kind: "skipped" };
  return { kind: "failed", failure: { status, step: path } };
}
