import type { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase as Phase } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import { rerunSteps } from "../../orchestrator/src/engine/rerun.ts";
import type { RunState } from "../../orchestrator/src/engine/state.ts";
import { approver, signalNames } from "./workflow.ts";
import type { Random } from "./random.ts";

/** What people ask of a run: an event of it. */
export type Request = Extract<
  NonNullable<Event["kind"]>,
  {
    readonly $case:
      | "retryRequested"
      | "failRequested"
      | "skipRequested"
      | "patchRequested"
      | "compensateRequested"
      | "pauseRequested"
      | "resumeRequested"
      | "signalReceived"
      | "decisionMade"
      | "rerunRequested"
      | "deleteRequested";
  }
>;

/** What people give in place of a call's result. */
export const givenResult = "given by a person";

/** People look at a run and do what it waits for, sooner or later. `id` makes a request's own id. */
export function* helpWith(random: Random, state: RunState, id: () => string): Generator<Request> {
  for (const step of state.incidents) {
    if (!random.chance(0.5)) yield leaveIncident(random, step.path, step.phase === Phase.COMPENSATE, id());
  }
  for (const step of state.steps.values())
    if (step.state.kind === "backingOff" && random.chance(0.1))
      yield {
        $case: "retryRequested",
        value: { step: step.path, compensation: false, ...nobody, requestId: id(), backoff: true },
      };
  for (const name of state.listeners.keys()) if (random.chance(0.4)) yield signal(name, id());
  for (const step of state.approvals) {
    // Without a step it is of the only one that waits, if there is one.
    if (random.chance(0.4)) yield decide(random, random.chance(0.2) ? "" : step.path, id());
  }
  if (state.hold !== undefined && random.chance(0.4))
    yield { $case: "resumeRequested", value: { ...nobody, requestId: id() } };
}

/** Somebody does what nothing waits for: an early signal, one of another name, a decision or a pause that is not wanted. */
export function bother(random: Random, id: () => string): Request {
  const what = random.next();
  if (what < 0.45) return signal(random.pick(signalNames), id());
  if (what < 0.5) return signal("unknown", id());
  if (what < 0.6) return decide(random, `s${random.int(0, 5)}`, id());
  if (what < 0.65) return { $case: "resumeRequested", value: { ...nobody, requestId: id() } };
  return { $case: "pauseRequested", value: { ...nobody, requestId: id() } };
}

/** How often runs are gone on for or deleted in a seed, and ids for that: of requests, and of runs. */
export interface Afterlife {
  readonly random: Random;
  /** Requests that are still to come. */
  left: number;
  readonly requestId: () => string;
  readonly runId: () => Uint8Array;
}

/** Half of all seeds have one. */
export function toAfterlife(random: Random, ids: Pick<Afterlife, "requestId" | "runId">): Afterlife {
  return { random, left: random.chance(0.5) ? random.int(1, 6) : 0, ...ids };
}

/** Somebody has an ended run gone on for from a step, or deleted; now and then one that has not ended, or at a step at which it can't begin. */
export function* afterEnd(afterlife: Afterlife, plan: LoadedPlan, state: RunState): Generator<Request> {
  const { random, requestId, runId } = afterlife;
  // Nobody has heard of a run whose start came too late.
  if (state.phase === "void") return;
  if (afterlife.left <= 0 || !random.chance(state.phase === "ended" ? 0.25 : 0.02)) return;
  afterlife.left -= 1;
  if (random.chance(0.3)) {
    yield { $case: "deleteRequested", value: { ...nobody, requestId: requestId() } };
    return;
  }
  const fitting = rerunSteps(plan, state);
  const names = fitting.length > 0 && random.chance(0.9) ? fitting : ["s0", "s1", "s2", "nowhere"];
  const value = { step: random.pick(names), ...nobody, requestId: requestId(), runId: runId() };
  yield { $case: "rerunRequested", value };
  // Two people at once: one of them is told that another run goes on already.
  if (random.chance(0.2))
    yield { $case: "rerunRequested", value: { ...value, requestId: requestId(), runId: runId() } };
}

const nobody = { reason: "", actor: "" };

function signal(name: string, id: string): Request {
  return { $case: "signalReceived", value: { name, id, payload: new TextEncoder().encode(id), actor: "" } };
}

function decide(random: Random, step: string, requestId: string): Request {
  const value = {
    step,
    approved: random.chance(0.7),
    form: new Uint8Array(),
    by: random.chance(0.8) ? approver : "bob",
    comment: "",
    requestId,
    actor: "",
  };
  return { $case: "decisionMade", value };
}

function leaveIncident(random: Random, step: string, compensation: boolean, requestId: string): Request {
  const value = { step, compensation, ...nobody, requestId };
  const what = random.next();
  if (what < 0.55) return { $case: "retryRequested", value: { ...value, backoff: false } };
  if (what < 0.75) return { $case: "failRequested", value };
  if (what < 0.85)
    return { $case: "skipRequested", value: { ...value, result: new TextEncoder().encode(givenResult) } };
  if (what < 0.95)
    return { $case: "patchRequested", value: { ...value, request: new TextEncoder().encode(`patched ${requestId}`) } };
  return { $case: "compensateRequested", value: { step, ...nobody, requestId } };
}
