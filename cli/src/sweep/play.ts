import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Transition } from "../../../orchestrator/src/engine/transition.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import { methodIn } from "../../../testing/src/kit/contracts.ts";
import { shownRun, turnsOf } from "../../../testing/src/kit/show.ts";
import { failedEnd, lostEnd } from "../../../testing/src/world/call.ts";
import type { CallEnd, ServiceCall } from "../../../testing/src/world/call.ts";
import { driveNow } from "../../../testing/src/world/drive.ts";
import type { MadeCall } from "../../../testing/src/world/sidecar.ts";
import { openWorld } from "../../../testing/src/world/world.ts";
import { answerCall } from "../simulation/answers.ts";
import type { Answering } from "../simulation/answers.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import type { SweepCase } from "./case.ts";
import { attend } from "./people.ts";
import { changed } from "./values.ts";

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
      // What a case says is said of the run itself: its children have steps of the same names.
      const isOwn = call.runId === world.runIds[0];
      const end = isOwn ? changedEnd(answering, played, call) : answerCall(answering, call);
      const place = inOrder.next++;
      // Calls that begin together end one after the other, the first one first or last.
      return { ...end, delayMs: end.delayMs + (played.order === "begun" ? place % 50 : 50 - (place % 50)) };
    },
  });
  const type = registry.getMessage(plan.plan.requestType);
  const request = type === undefined ? undefined : changed(type, requestJson, "input", played, registry);
  const runId = request === undefined ? undefined : world.start({ plan, request });
  if (typeof runId !== "string") return undefined;
  let asked = 0;
  driveNow(world, endMs, () => {
    asked += attend(ground, world, played);
    return world.stateOf(runId)?.ended !== undefined || world.calls.length > callsMax || asked > callsMax;
  });
  // Who is silent is heard in the end where nothing else moves.
  driveNow(world, endMs, () => {
    asked += attend(ground, world, { ...played, people: "answer" });
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
  const bytes = changed(output, json, root, played, answering.registry);
  return bytes === undefined ? end : { ...end, messages: [bytes] };
}
