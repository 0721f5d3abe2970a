import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { callTypesAt } from "../../../orchestrator/src/engine/callSignature.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { evaluateQuery } from "../../../orchestrator/src/engine/query.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State, StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run as ShownRun } from "../../../proto/gen/sidestep/v1/run.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { drive } from "../world/drive.ts";
import type { World } from "../world/world.ts";
import { didYouMean } from "../../../orchestrator/src/compile/closest.ts";
import { toBytes, toPlain } from "./fit.ts";
import type { Given, JsonMessage } from "./plain.ts";
import type { Decision, Run } from "./run.ts";
import { runText } from "./runText.ts";
import { SandboxError } from "./sandboxError.ts";
import {
  failureOf,
  payloadOf,
  shownHistory,
  shownRun,
  toEventView,
  toStateName,
  toStepViews,
  turnsOf,
} from "./show.ts";

/** What a run's handle stands on. */
export interface RunGround {
  readonly world: World;
  readonly registry: Registry;
}

/** A run by its id. */
export function openRun(ground: RunGround, id: string): Run {
  const { world, registry } = ground;
  const shown = (): ShownRun => {
    const run = shownRun(world, id);
    if (run === undefined) throw new SandboxError(`there is no run ${id}`);
    return run;
  };
  const run: Run = {
    id,
    get workflow() {
      return shown().workflow;
    },
    get key() {
      return shown().key;
    },
    get state() {
      return toStateName(shown());
    },
    get isEnded() {
      return stateOf(ground, id).ended !== undefined;
    },
    get response() {
      return responseOf(ground, id);
    },
    responseAs: (schema) => fromBinary(schema, endedWell(ground, id)),
    get status() {
      return failureOf(registry, stateOf(ground, id));
    },
    get steps() {
      return toStepViews(registry, shown(), stateOf(ground, id));
    },
    step: (path) => run.steps.find((step) => step.path === path && !step.isUndo),
    get completed() {
      return pathsOf(ground, id, false);
    },
    get undone() {
      return pathsOf(ground, id, true);
    },
    get history() {
      const { startedMs } = stateOf(ground, id);
      return shownHistory(world, id).map((event) => toEventView(registry, event, startedMs));
    },
    get yielded() {
      const { plan } = planOf(ground, id);
      return stateOf(ground, id).yields.messages.map((bytes) => payloadOf(registry, plan.responseType, bytes));
    },
    get children() {
      return world.runIds.filter((one) => parentOf(world, one) === id).map((one) => openRun(ground, one));
    },
    get text() {
      return runText(shown());
    },
    ended: () => reach(ground, run, "its end", () => run.isEnded),
    reaches: async (path) => {
      await reach(ground, run, `step ${path}`, () => stateOf(ground, id).steps.has(path));
      await drive(world, world.clock.now, () => false);
      return run;
    },
    until: (isReached) => reach(ground, run, "what the test waits for", () => isReached(run)),
    ...talking(ground, id),
    ...mending(ground, id),
  };
  return run;
}

async function reach({ world }: RunGround, run: Run, what: string, isReached: () => boolean): Promise<Run> {
  const found = await drive(world, Infinity, () => isReached() || run.isEnded);
  if (isReached()) return run;
  const why = found ? "it has ended without" : "nothing brings it there: no call, timer or message is on its way";
  throw new SandboxError(`the run does not come to ${what}: ${why}\n\n${run.text}`);
}

/** Writes what somebody asks of the run. Throws SandboxError when it changes nothing. */
function asking({ world }: RunGround, id: string) {
  let requests = 0;
  return {
    asked: () => ({ actor: "tester", requestId: `${id}/${world.log.records.length}/${++requests}` }),
    write: (event: NonNullable<Event["kind"]>, what: string): void => {
      const { ignored, refusal } = world.write(id, event);
      if (!ignored) return;
      const why = refusal === "" ? "it does not fit the run as it stands" : refusal;
      throw new SandboxError(`${what} changed nothing: ${why}\n\n${runText(shownRun(world, id))}`);
    },
  };
}

/** What people can tell it, and ask. */
function talking(ground: RunGround, id: string) {
  const { registry } = ground;
  const { asked, write } = asking(ground, id);
  return {
    signal: (name: string, payload: Given = {}) => {
      const { signals } = planOf(ground, id);
      const signal = signals.find((one) => one.name === name);
      if (signal === undefined) throw new SandboxError(unknownSignal(name, signals));
      const bytes = toBytes(registry, typeOf(registry, signal.type), payload, `the signal ${name}`);
      const { actor, requestId } = asked();
      write({ $case: "signalReceived", value: { name, payload: bytes, id: requestId, actor } }, `the signal ${name}`);
    },
    decide: (decision: Decision) => write(toDecision(ground, id, decision, asked().requestId), "the decision"),
    query: (method: string, request: Given = {}) => answerQuery(ground, id, method, request),
    cancel: (reason = "") => write({ $case: "cancelRequested", value: { reason, ...asked() } }, "cancel"),
    terminate: (reason = "") => write({ $case: "terminateRequested", value: { reason, ...asked() } }, "terminate"),
    pause: (reason = "") => write({ $case: "pauseRequested", value: { reason, ...asked() } }, "pause"),
    resume: (reason = "") => write({ $case: "resumeRequested", value: { reason, ...asked() } }, "resume"),
  };
}

/** How people leave its incidents. */
function mending(ground: RunGround, id: string) {
  const { world, registry } = ground;
  const { asked, write } = asking(ground, id);
  const incident = (path: string | undefined, what: string) => {
    const open = shownRun(world, id)?.incidents ?? [];
    const found = path === undefined ? open : open.filter(({ step }) => step === path);
    const [one] = found;
    if (one === undefined || found.length > 1) {
      const which = path === undefined ? "" : ` at ${path}`;
      const count = one === undefined ? "there is none" : "there are several: name its step";
      throw new SandboxError(`${what}: expected an incident${which}, ${count}\n\n${runText(shownRun(world, id))}`);
    }
    return { step: one.step, compensation: one.compensation };
  };
  const stepTypes = (path: string, compensation: boolean) => {
    const types = callTypesAt(planOf(ground, id), path, compensation);
    if (types === undefined) throw new SandboxError(`step ${path} makes no call`);
    return types;
  };
  return {
    retry: (path?: string) => {
      const backing = shownRun(world, id)?.steps.find(
        (step) => step.state === StepStatus_State.BACKING_OFF && (path === undefined || step.path === path),
      );
      const at =
        backing === undefined ? incident(path, "retry") : { step: backing.path, compensation: backing.compensation };
      const value = { ...at, reason: "", backoff: backing !== undefined, ...asked() };
      write({ $case: "retryRequested", value }, "retry");
    },
    fail: (path?: string) =>
      write({ $case: "failRequested", value: { ...incident(path, "fail"), reason: "", ...asked() } }, "fail"),
    compensate: (path?: string) => {
      const { step } = incident(path, "compensate");
      write({ $case: "compensateRequested", value: { step, reason: "", ...asked() } }, "compensate");
    },
    skip: (given: Given, path?: string) => {
      const at = incident(path, "skip");
      const { response } = stepTypes(at.step, at.compensation);
      const result = at.compensation
        ? new Uint8Array()
        : toBytes(registry, typeOf(registry, response), given, "the result");
      write({ $case: "skipRequested", value: { ...at, result, reason: "", ...asked() } }, "skip");
    },
    patch: (given: Given, path?: string) => {
      const at = incident(path, "patch");
      const type = typeOf(registry, stepTypes(at.step, at.compensation).request);
      const request = toBytes(registry, type, given, "the request");
      write({ $case: "patchRequested", value: { ...at, request, reason: "", ...asked() } }, "patch");
    },
  };
}

function toDecision(
  { world, registry }: RunGround,
  id: string,
  { approved, by = "tester", comment = "", form, step }: Decision,
  requestId: string,
): NonNullable<Event["kind"]> {
  const open = (shownRun(world, id)?.approvals ?? []).filter((one) => step === undefined || one.step === step);
  const [one] = open;
  if (one === undefined || open.length > 1) {
    const count = one === undefined ? "no approval waits" : "several approvals wait: name the step";
    throw new SandboxError(`${count}${step === undefined ? "" : ` at ${step}`}\n\n${runText(shownRun(world, id))}`);
  }
  const bytes =
    one.type === "" ? new Uint8Array() : toBytes(registry, typeOf(registry, one.type), form ?? {}, "the form");
  return { $case: "decisionMade", value: { step: one.step, approved, form: bytes, by, comment, requestId, actor: by } };
}

function answerQuery({ world, registry }: RunGround, id: string, method: string, request: Given): JsonMessage {
  const plan = world.planOf(id);
  const query = plan?.queries.find((one) => one.method === method);
  const state = world.stateOf(id);
  if (query === undefined || state === undefined) throw new SandboxError(`the run answers no query ${method}`);
  const bytes = toBytes(registry, typeOf(registry, query.requestType), request, `the request of ${method}`);
  const result = evaluateQuery(state, query, bytes);
  if (result.kind === "failed") throw new SandboxError(`${method}: ${result.message}`);
  return toPlain(registry, typeOf(registry, query.responseType), result.response);
}

function unknownSignal(name: string, signals: LoadedPlan["signals"]): string {
  const names = signals.map((one) => one.name);
  const hint = didYouMean(name, names);
  const all = names.length === 0 ? "it takes none" : `it takes ${names.join(", ")}`;
  return `the workflow takes no signal '${name}': ${hint === "" ? all : hint}`;
}

function typeOf(registry: Registry, name: string): DescMessage {
  const type = registry.getMessage(name);
  if (type === undefined) throw new SandboxError(`the contracts have no ${name}`);
  return type;
}

function stateOf({ world }: RunGround, id: string): RunState {
  const state = world.stateOf(id);
  if (state === undefined) throw new SandboxError(`there is no run ${id}`);
  return state;
}

function planOf({ world }: RunGround, id: string): LoadedPlan {
  const plan = world.planOf(id);
  if (plan === undefined) throw new SandboxError(`there is no run ${id}`);
  return plan;
}

function endedWell(ground: RunGround, id: string): Uint8Array {
  const { ended } = stateOf(ground, id);
  if (ended?.state === Run_State.COMPLETED) return ended.response;
  throw new SandboxError(`the run has not completed\n\n${runText(shownRun(ground.world, id))}`);
}

function responseOf(ground: RunGround, id: string): JsonMessage | undefined {
  const { ended } = stateOf(ground, id);
  if (ended?.state !== Run_State.COMPLETED) return undefined;
  return payloadOf(ground.registry, planOf(ground, id).plan.responseType, ended.response);
}

function pathsOf({ world }: RunGround, id: string, isUndo: boolean): readonly string[] {
  const phase = isUndo ? Phase.COMPENSATE : Phase.FORWARD;
  return turnsOf(world, id).flatMap(({ transitions }) =>
    transitions.flatMap((one) =>
      one.kind === "stepEnded" && one.result === "completed" && one.address.phase === phase ? one.address.step : [],
    ),
  );
}

function parentOf(world: World, id: string): string | undefined {
  const started = world.stateOf(id)?.started;
  const parent = started?.parent ?? started?.detachedFrom;
  return parent === undefined ? undefined : toHex(parent.runId);
}
