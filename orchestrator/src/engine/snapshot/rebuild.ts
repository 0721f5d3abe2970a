import type { AttemptId } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  RunSnapshot,
  RunSnapshot_Failure as StoredFailure,
  RunSnapshot_Call as StoredCall,
  RunSnapshot_Header as StoredHeader,
  RunSnapshot_Prepared as StoredPrepared,
  RunSnapshot_Step as StoredStep,
  RunSnapshot_Timer as StoredTimer,
  RunSnapshot_Value as StoredValue,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { CallHeader } from "../command.ts";
import type { KeptValue } from "../expression/result.ts";
import { unloaded } from "../payload.ts";
import type { BlockPlan, CallPlan, LoadedPlan, StepPlan } from "../plan.ts";
import type {
  Failure,
  Frame,
  LiveAttempt,
  LiveCall,
  LiveStep,
  LiveTimer,
  PreparedCall,
  Scope,
  TimerPurpose,
  Undoing,
  UndoScope,
} from "../live.ts";
import { makeInner } from "../steps/inner.ts";
import { blocksOf } from "./blocks.ts";
import { broken, required } from "./broken.ts";
import { frameStates, undoStates } from "./codes.ts";
import { toOutside } from "./stepOutside.ts";

/**
 * The parts of a snapshot by their places, from 1. Each is made when it is first asked for, with all that it must have from its beginning; what it
 * may only point to later is set by finish.ts.
 */
export interface Parts {
  readonly plan: LoadedPlan;
  scope(place: number): Scope | undefined;
  frame(place: number): Frame | undefined;
  step(place: number): LiveStep | undefined;
  attempt(place: number): LiveAttempt | undefined;
  timer(place: number): LiveTimer | undefined;
  undoScope(place: number): UndoScope | undefined;
  undoing(place: number): Undoing | undefined;
  value(stored: StoredValue | undefined): KeptValue | undefined;
}

/** The parts of a snapshot of a run of this plan. Throws when a part that is asked for is not there. */
export function openParts(plan: LoadedPlan, stored: RunSnapshot): Parts {
  const parts: Parts = {
    plan,
    scope: lazily(stored.scopes, "a scope", (scope) => toScope(parts, scope)),
    frame: lazily(stored.frames, "a frame", (frame) => toFrame(parts, frame)),
    step: lazily(stored.steps, "a step", (step) => toStep(parts, step)),
    attempt: lazily(stored.attempts, "an attempt", (attempt) => toAttempt(parts, attempt)),
    timer: lazily(stored.timers, "a timer", (timer) => toTimer(parts, timer)),
    undoScope: lazily(stored.undoScopes, "an undo scope", (scope) => toUndoScope(parts, scope)),
    undoing: lazily(stored.undoings, "an undoing", (undoing) => toUndoing(parts, undoing)),
    value: (value) =>
      value === undefined ? undefined : toKept(required(stored.types[value.type], "the type of a value"), value),
  };
  return parts;
}

function toKept(type: string, { bytes, payload, loaded }: StoredValue): KeptValue {
  return payload === undefined ? { type, bytes } : { type, bytes: loaded ? bytes : unloaded, payload };
}

function lazily<S, T>(stored: readonly S[], what: string, make: (stored: S) => T): (place: number) => T | undefined {
  const made: (T | undefined)[] = [];
  return (place) => {
    if (place === 0) return undefined;
    const known = made[place];
    if (known !== undefined) return known;
    const part = make(required(stored[place - 1], what));
    made[place] = part;
    return part;
  };
}

function toScope(parts: Parts, stored: RunSnapshot["scopes"][number]): Scope {
  const { prefix, variables, sharesSteps, isPass } = stored;
  const parent = parts.scope(stored.parent);
  return {
    parent,
    prefix,
    variables: new Map(variables.map(({ name, value }) => [name, value])),
    steps: sharesSteps ? required(parent, "the scope around another one").steps : new Map(),
    sharesSteps,
    caught: toFailure(stored.caught),
    begun: sharesSteps ? parent?.begun : isPass ? [] : undefined,
  };
}

function toUndoScope(parts: Parts, stored: RunSnapshot["undoScopes"][number]): UndoScope {
  return {
    parent: parts.undoScope(stored.parent),
    step: stored.step,
    isTry: stored.isTry,
    steps: [],
    open: new Map(),
    state: undoStates.get(stored.state) ?? broken(`the state ${stored.state} of an undo scope is unknown`),
    attempts: stored.attempts,
    waiting: new Set(),
  };
}

function toUndoing(parts: Parts, stored: RunSnapshot["undoings"][number]): Undoing {
  return {
    waiting: [],
    open: stored.open,
    owner: parts.step(stored.owner),
    hasBegun: stored.hasBegun,
    isStopping: stored.isStopping,
    failure: toFailure(stored.failure),
  };
}

function toFrame(parts: Parts, stored: RunSnapshot["frames"][number]): Frame {
  const owner = parts.step(stored.owner);
  return {
    kind: "frame",
    block: owner === undefined ? parts.plan.body : blockOf(owner, stored.block),
    owner,
    slot: stored.slot,
    scope: required(parts.scope(stored.scope), "the scope of a frame"),
    position: stored.position,
    current: undefined,
    state: frameStates.get(stored.state) ?? broken(`the state ${stored.state} of a frame is unknown`),
    result: parts.value(stored.result),
    phase: stored.phase,
    undo: required(parts.undoScope(stored.undo), "the undo scope of a frame"),
    compensates: stored.compensates,
    failure: toFailure(stored.failure),
  };
}

function blockOf({ plan, undoing }: LiveStep, place: number): BlockPlan {
  const undo = plan.compensate?.undo;
  const block = undoing === undefined ? blocksOf(plan)[place] : undo?.kind === "block" ? undo.block : undefined;
  return required(block, `block ${place} of ${plan.name}`);
}

function toStep(parts: Parts, stored: StoredStep): LiveStep {
  const plan = required(parts.plan.steps[stored.plan], `step ${stored.plan} of the plan`);
  const frame = required(parts.frame(stored.frame), `the frame of ${plan.name}`);
  const { inner } = stored;
  const verifies = parts.step(stored.verifies);
  return {
    kind: "step",
    plan,
    phase: stored.phase,
    path: stored.path ?? frame.scope.prefix + plan.name,
    generation: stored.generation,
    frame,
    state: { kind: "ready" },
    startedMs: stored.startedMs,
    endedMs: stored.endedMs,
    result: parts.value(stored.result),
    maybeExecuted: stored.maybeExecuted,
    lastStatus: stored.lastStatus,
    isPending: stored.isPending,
    call: stored.call === undefined ? undefined : toCall(callPlanOf(plan, stored.partOf !== 0, verifies), stored.call),
    inner:
      inner === undefined
        ? undefined
        : makeInner(required(parts.undoScope(inner.undo), `what is left to undo in ${plan.name}`)),
    undoing: parts.undoing(stored.partOf),
    undoOrder: stored.undoOrder,
    outside: stored.outside === undefined ? undefined : toOutside(stored.outside),
    verifies,
  };
}

function callPlanOf(
  { name, action, compensate }: StepPlan,
  isUndone: boolean,
  verifies: LiveStep | undefined,
): CallPlan {
  if (verifies !== undefined) return required(verifies.call?.plan.verify?.call, `what verifies ${name}`);
  const own = action.kind === "call" ? action.call : undefined;
  const undo = compensate?.undo.kind === "call" ? compensate.undo.call : undefined;
  return required(isUndone ? undo : own, `the call of ${name}`);
}

function toCall(plan: CallPlan, stored: StoredCall): LiveCall {
  return {
    plan,
    prepared: stored.prepared === undefined ? undefined : toPrepared(stored.prepared),
    attempt: stored.attempt,
    attemptsBefore: stored.attemptsBefore,
    deadlineMs: stored.deadlineMs,
    deadlineTimer: undefined,
    compensates: stored.compensates,
    inFlight: stored.inFlight,
    patch: stored.patch,
  };
}

function toPrepared({ request, payload, headers }: StoredPrepared): PreparedCall {
  return { request, payload, headers: headers.map(toHeader) };
}

function toHeader({ key, text }: StoredHeader): CallHeader {
  switch (text?.$case) {
    case "value":
      return { key, value: text.value };
    case "secret":
      return { key, secret: text.value };
    case undefined:
      return broken(`the header ${key} has no text`);
  }
}

function toAttempt(parts: Parts, stored: RunSnapshot["attempts"][number]): LiveAttempt {
  const step = required(parts.step(stored.step), "the step of an attempt");
  const { generation, phase, number, issuedAt, method, timeoutMs, closedAt, claimed, stream } = stored;
  const id: AttemptId = { step: step.path, generation, phase, attempt: number };
  const prepared = stored.sent === undefined ? step.call?.prepared : toPrepared(stored.sent);
  const { request, payload, headers } = required(prepared, `what ${step.path} sends`);
  return {
    id,
    step,
    publish: {
      kind: "publishTask",
      issuedAt,
      issuedMs: stored.issuedMs,
      attempt: id,
      method,
      request,
      payload,
      headers,
      timeoutMs,
      claim: stored.claim,
      stream: stream === undefined ? undefined : { messagesMax: stream.messagesMax, bytesMax: stream.bytesMax },
      isReissue: stored.isReissue,
      compensates: stored.compensates,
    },
    close: closedAt === 0 ? undefined : { kind: "closeAttempt", issuedAt: closedAt, attempt: id, method, timeoutMs },
    isTold: stored.isTold,
    claim: claimed === undefined ? undefined : { sidecarId: claimed.sidecarId, delivery: claimed.delivery },
    overdueMs: stored.overdueMs,
    isOverdue: stored.isOverdue,
    deferred: undefined,
  };
}

function toTimer(parts: Parts, stored: StoredTimer): LiveTimer {
  const { number, dueMs, issuedAt } = stored;
  return { number, dueMs, purpose: toPurpose(parts, stored), arm: { kind: "armTimer", issuedAt, number, dueMs } };
}

function toPurpose(parts: Parts, { purpose }: StoredTimer): TimerPurpose {
  switch (purpose?.$case) {
    case "backoff":
    case "wait":
    case "pass":
    case "stepDeadline":
    case "due":
      return { kind: purpose.$case, step: required(parts.step(purpose.value), "the step of a timer") };
    case "runDeadline":
    case "overdue":
    case "rest":
      return { kind: purpose.$case };
    case "reissue":
    case "held":
      return { kind: purpose.$case, attempt: required(parts.attempt(purpose.value), "the attempt of a timer") };
    case undefined:
      return broken("the purpose of a timer is unknown");
  }
}

/** Why something fails, if it does. */
export function toFailure(stored: StoredFailure | undefined): Failure | undefined {
  return stored === undefined ? undefined : { status: required(stored.status, "a status"), step: stored.step };
}
