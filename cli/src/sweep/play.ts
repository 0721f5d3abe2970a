import type { DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Transition } from "../../../orchestrator/src/engine/transition.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { inventMessage } from "../../../proto/json/invent.ts";
import { code } from "../../../proto/wire/status.ts";
import { methodIn } from "../../../testing/src/kit/contracts.ts";
import { shownRun, turnsOf } from "../../../testing/src/kit/show.ts";
import { failedEnd, lostEnd } from "../../../testing/src/world/call.ts";
import type { CallEnd, ServiceCall } from "../../../testing/src/world/call.ts";
import { driveNow } from "../../../testing/src/world/drive.ts";
import type { MadeCall } from "../../../testing/src/world/sidecar.ts";
import { openWorld } from "../../../testing/src/world/world.ts";
import type { World } from "../../../testing/src/world/world.ts";
import { answerCall } from "../simulation/answers.ts";
import type { Answering } from "../simulation/answers.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import type { SweepCase } from "./case.ts";

/** What a case came to. */
export interface Played {
  readonly case: SweepCase;
  readonly run: Run;
  readonly state: RunState;
  readonly transitions: readonly Transition[];
  readonly calls: readonly MadeCall[];
}

const startMs = Date.UTC(2026, 0, 1);
/** A run that takes longer than this, in virtual time, does not end. */
const endMs = startMs + 1_000 * 86_400_000;
/** Calls of one run; more go round in circles. */
const callsMax = 20_000;

/** Plays one case; undefined: its values fit no message, or its request is refused. */
export function playCase(ground: SimulationGround, played: SweepCase): Played | undefined {
  const { registry, workflows, plan, seed, requestJson } = ground;
  const answering = { registry, seed, pick: ground.fixtures() };
  const inOrder = { next: 0 };
  const world = openWorld({
    workflows,
    startMs,
    answer: (call) => {
      const end = changedEnd(answering, played, call);
      const place = inOrder.next++;
      // Calls that begin together end one after the other, the first one first or last.
      return { ...end, delayMs: end.delayMs + (played.order === "begun" ? place % 50 : 50 - (place % 50)) };
    },
  });
  const type = registry.getMessage(plan.plan.requestType);
  const request = type === undefined ? undefined : changed(type, requestJson, "input", played, answering);
  const runId = request === undefined ? undefined : world.start({ plan, request });
  if (typeof runId !== "string") return undefined;
  let asked = 0;
  driveNow(world, endMs, () => {
    asked += attend(ground, world, runId, played, answering);
    return world.stateOf(runId)?.ended !== undefined || world.calls.length > callsMax || asked > callsMax;
  });
  // Who is silent is heard in the end where nothing else moves.
  driveNow(world, endMs, () => {
    asked += attend(ground, world, runId, { ...played, people: "answer" }, answering);
    return world.stateOf(runId)?.ended !== undefined || world.calls.length > callsMax || asked > callsMax;
  });
  const [run, state] = [shownRun(world, runId), world.stateOf(runId)];
  if (run === undefined || state === undefined) return undefined;
  const transitions = turnsOf(world, runId).flatMap((turn) => turn.transitions);
  return {
    case: played,
    run,
    state,
    transitions,
    calls: world.calls.filter((one) => one.runId === runId),
  };
}

/** What a call is known by in a case. */
export function siteOf({ step, purpose }: Pick<ServiceCall, "step" | "purpose">): string {
  return purpose === "forward" ? step : `${purpose} ${step}`;
}

function changedEnd(answering: Answering, played: SweepCase, call: ServiceCall): CallEnd {
  const fault = played.fail.get(siteOf(call));
  switch (fault) {
    case "refused":
      return failedEnd(code.ABORTED, "the sweep: not carried out");
    case "doubt":
      return lostEnd();
    case "final":
      return failedEnd(code.FAILED_PRECONDITION, "the sweep: refused for good");
    case undefined:
      break;
  }
  const end = answerCall(answering, call);
  const output = methodIn(answering.registry, call.method)?.output;
  const [first] = end.kind === "answered" ? end.messages : [];
  if (end.kind !== "answered" || call.isStream || output === undefined || first === undefined) return end;
  const name = call.step.slice(call.step.lastIndexOf("/") + 1);
  if (call.purpose === "undo") return end;
  const root = call.purpose === "verify" ? `answer.${name}` : name;
  const json = toJson(output, fromBinary(output, first), { registry: answering.registry });
  const bytes = changed(output, json, root, played, answering);
  return bytes === undefined ? end : { ...end, messages: [bytes] };
}

/** A message with the case's values of `root`; undefined: they don't fit it. */
function changed(
  type: DescMessage,
  json: JsonValue,
  root: string,
  { set }: SweepCase,
  { registry }: Answering,
): Uint8Array | undefined {
  const own = [...set].filter(([target]) => target.startsWith(`${root}.`));
  let whole = json;
  for (const [target, value] of own) whole = withValue(type, whole, target.slice(root.length + 1).split("."), value);
  try {
    return toBinary(type, fromJson(type, whole, { registry }));
  } catch {
    return undefined;
  }
}

function withValue(type: DescMessage, json: JsonValue, names: readonly string[], value: JsonValue): JsonValue {
  const [name = "", ...rest] = names;
  const field = type.fields.find((one) => one.name === name);
  const object: JsonObject = typeof json === "object" && json !== null && !Array.isArray(json) ? json : {};
  const key = field?.jsonName ?? name;
  const inner =
    rest.length === 0 || field?.message === undefined
      ? value
      : withValue(field.message, object[key] ?? {}, rest, value);
  return { ...object, [key]: inner };
}

/** People do what the run waits for. Gives how many things they did. */
function attend(
  { registry, plan, seed }: SimulationGround,
  world: World,
  runId: string,
  played: SweepCase,
  answering: Answering,
): number {
  const state = world.stateOf(runId);
  if (state === undefined || state.ended !== undefined) return 0;
  let did = 0;
  // An incident waits for a person: the sweep looks at what follows when nothing can be mended.
  for (const step of state.incidents) {
    const value = {
      step: step.path,
      compensation: step.phase === Phase.COMPENSATE,
      reason: "",
      actor: "",
      requestId: `fail/${world.log.records.length}`,
    };
    world.write(runId, { $case: "failRequested", value });
    did++;
    break;
  }
  if (played.people === "silent") return did;
  for (const [name, waiting] of state.listeners) {
    const signal = plan.signals.find((one) => one.name === name);
    const type = registry.getMessage(signal?.type ?? "");
    const [step] = waiting;
    if (type === undefined || step === undefined) continue;
    const json = toJson(type, inventMessage(type, { seed }), { registry });
    const payload = changed(type, json, step.plan.id, played, answering);
    if (payload === undefined) continue;
    const value = { name, payload, id: `signal/${world.log.records.length}`, actor: "" };
    world.write(runId, { $case: "signalReceived", value });
    did++;
  }
  for (const { step, type, approvers } of shownApprovals(world, runId, state)) {
    const form = registry.getMessage(type);
    const bytes = form === undefined ? new Uint8Array() : toBinary(form, inventMessage(form, { seed }));
    const value = {
      step,
      approved: played.people === "answer",
      form: bytes,
      by: approvers[0] ?? "somebody",
      comment: "",
      requestId: `decide/${world.log.records.length}`,
      actor: "",
    };
    world.write(runId, { $case: "decisionMade", value });
    did++;
  }
  return did;
}

function shownApprovals(world: World, runId: string, state: RunState): Run["approvals"] {
  return state.approvals.size === 0 ? [] : (shownRun(world, runId)?.approvals ?? []);
}
