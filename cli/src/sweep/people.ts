import { toBinary, toJson } from "@bufbuild/protobuf";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { inventMessage } from "../../../proto/json/invent.ts";
import { shownRun } from "../../../testing/src/kit/show.ts";
import type { World } from "../../../testing/src/world/world.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import type { SweepCase } from "./case.ts";
import { changed } from "./values.ts";

type Asked = NonNullable<Event["kind"]>;

/** People do what the runs of a world wait for, those that others started too. Gives how many things they did. */
export function attend(ground: SimulationGround, world: World, played: SweepCase): number {
  let did = 0;
  for (const runId of world.runIds) {
    const state = world.stateOf(runId);
    if (state === undefined || state.ended !== undefined) continue;
    for (const event of wanted(ground, world, runId, state, played)) {
      world.write(runId, event);
      did++;
    }
  }
  return did;
}

function wanted(
  ground: SimulationGround,
  world: World,
  runId: string,
  state: RunState,
  played: SweepCase,
): readonly Asked[] {
  const request = `${runId}/${world.log.records.length}`;
  const mends = mending(state, request);
  if (played.people === "silent") return mends;
  return [
    ...mends,
    ...signals(ground, world, runId, state, played, request),
    ...decisions(ground, world, runId, state, played, request),
  ];
}

/** An incident waits for a person: the sweep looks at what follows when nothing can be mended. */
function mending({ incidents }: RunState, request: string): readonly Asked[] {
  return [...incidents].map((step) => ({
    $case: "failRequested",
    value: {
      step: step.path,
      compensation: step.phase === Phase.COMPENSATE,
      reason: "",
      actor: "",
      requestId: `${request}/${step.path}`,
    },
  }));
}

function signals(
  { registry, seed }: SimulationGround,
  world: World,
  runId: string,
  { listeners }: RunState,
  played: SweepCase,
  request: string,
): readonly Asked[] {
  return [...listeners].flatMap(([name, [step]]): readonly Asked[] => {
    const signal = world.planOf(runId)?.signals.find((one) => one.name === name);
    const type = registry.getMessage(signal?.type ?? "");
    if (type === undefined || step === undefined) return [];
    const json = toJson(type, inventMessage(type, { seed }), { registry });
    const payload = changed(type, json, step.plan.id, played, registry);
    if (payload === undefined) return [];
    return [{ $case: "signalReceived", value: { name, payload, id: `${request}/${name}`, actor: "" } }];
  });
}

function decisions(
  { registry, seed }: SimulationGround,
  world: World,
  runId: string,
  { approvals }: RunState,
  { people }: SweepCase,
  request: string,
): readonly Asked[] {
  if (approvals.size === 0) return [];
  return (shownRun(world, runId)?.approvals ?? []).map(({ step, type, approvers }) => {
    const form = registry.getMessage(type);
    const value = {
      step,
      approved: people === "answer",
      form: form === undefined ? new Uint8Array() : toBinary(form, inventMessage(form, { seed })),
      by: approvers[0] ?? "somebody",
      comment: "",
      requestId: `${request}/${step}`,
      actor: "",
    };
    return { $case: "decisionMade", value };
  });
}
