import type { DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { BreakingChange_Kind as Kind } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { callsOf, differencesOfCall } from "../compile/contract/calls.ts";
import type { PlannedCall } from "../compile/contract/calls.ts";
import type { Contract } from "../compile/contract/contract.ts";
import type { Difference } from "../compile/contract/differences.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import { mayYetCall, placeOf } from "../engine/ahead.ts";
import { ofCall } from "./breaking.ts";
import type { Break } from "./breaking.ts";
import type { Definitions } from "./definitions.ts";
import { readState } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import type { RunStore } from "./runStore.ts";

export interface RunsAheadGround {
  readonly definitions: Pick<Definitions, "load">;
  readonly inspect: InspectGround;
  /** Undefined: there is no index. */
  readonly store: Pick<RunStore, "count" | "list"> | undefined;
  /** Runs that are looked into at most. */
  readonly runsMax: number;
}

export interface RunsAhead {
  readonly breaks: readonly Break[];
  readonly lookedAt: number;
  readonly notLookedAt: number;
  readonly isUnknown: boolean;
}

/** Runs that are looked into at a time. */
const atOnce = 8;
const idsTold = 10;

/** A call of a version, and by what it misunderstands the method. */
interface Broken {
  readonly call: PlannedCall;
  readonly differences: readonly Difference[];
}

/** Runs in flight that may yet call what another contract has otherwise. Throws when NATS or the index does not answer. */
export async function runsThatBreak(
  ground: RunsAheadGround,
  index: DefinitionIndex,
  there: Contract,
): Promise<RunsAhead> {
  const { store, definitions, runsMax } = ground;
  if (store === undefined) return { breaks: [], lookedAt: 0, notLookedAt: 0, isUnknown: true };
  const breaks: Break[] = [];
  let lookedAt = 0;
  let notLookedAt = 0;
  for (const { workflow, version, runs } of (await versionsInFlight(store)).values()) {
    const entry = index.workflow.find((one) => one.workflow === workflow);
    const hash = entry?.version.find(({ number }) => number === version)?.planHash;
    const plan = hash === undefined ? undefined : (await definitions.load(hash))?.plan;
    if (plan === undefined) continue;
    const calls = callsOf(plan);
    const broken = calls.calls.flatMap((call): readonly Broken[] => {
      const differences = differencesOfCall(calls, call, there);
      return differences.length === 0 ? [] : [{ call, differences }];
    });
    if (broken.length === 0) continue;
    const looked = await lookInto(ground, store, { workflow, version }, broken, runsMax - lookedAt);
    lookedAt += looked.runs;
    breaks.push(...looked.breaks);
    const rest = runs - looked.runs;
    if (rest <= 0) continue;
    notLookedAt += rest;
    for (const { call, differences } of broken)
      breaks.push({ ...ofCall(Kind.RUNS, workflow, version, call, differences), runs: BigInt(rest) });
  }
  return { breaks, lookedAt, notLookedAt, isUnknown: false };
}

async function versionsInFlight(store: Pick<RunStore, "count">) {
  const counts = await store.count(inFlight);
  const byVersion = new Map<string, { workflow: string; version: number; runs: number }>();
  for (const { workflow, version, runs } of counts) {
    const key = `${workflow} ${version}`;
    byVersion.set(key, { workflow, version, runs: (byVersion.get(key)?.runs ?? 0) + runs });
  }
  return byVersion;
}

const inFlight: RunFilter = {
  kind: "any",
  of: [Run_State.RUNNING, Run_State.PAUSED, Run_State.COMPENSATING].map((state) => ({
    kind: "compare",
    place: { kind: "field", name: "state" },
    operator: "=",
    value: { kind: "number", value: state },
  })),
};

function filterOf(workflow: string, version: number): RunFilter {
  const equals = (name: "workflow" | "version", value: string | number): RunFilter => ({
    kind: "compare",
    place: { kind: "field", name },
    operator: "=",
    value: typeof value === "string" ? { kind: "text", value } : { kind: "number", value },
  });
  return { kind: "all", of: [inFlight, equals("workflow", workflow), equals("version", version)] };
}

async function lookInto(
  ground: RunsAheadGround,
  store: Pick<RunStore, "list">,
  { workflow, version }: { readonly workflow: string; readonly version: number },
  broken: readonly Broken[],
  max: number,
): Promise<{ readonly breaks: readonly Break[]; readonly runs: number }> {
  if (max <= 0) return { breaks: [], runs: 0 };
  const rows = await store.list({ filter: filterOf(workflow, version), after: undefined, limit: max });
  const found = new Map<string, Break & { runs: bigint }>();
  for (let at = 0; at < rows.length; at += atOnce) {
    const part = rows.slice(at, at + atOnce);
    const placed = await Promise.all(part.map(({ id }) => stillAhead(ground, id, broken)));
    placed.forEach((ahead, i) => {
      for (const { call, differences, position } of ahead) {
        const key = `${position} ${call.step} ${call.isCompensation} ${call.method}`;
        const one = found.get(key) ?? { ...ofCall(Kind.RUNS, workflow, version, call, differences), position };
        const runIds = one.runIds.length < idsTold ? [...one.runIds, part[i]?.id ?? ""] : one.runIds;
        found.set(key, { ...one, runIds, runs: one.runs + 1n });
      }
    });
  }
  return { breaks: [...found.values()], runs: rows.length };
}

/** Those of the calls that a run may yet make, and where it stands. */
async function stillAhead(
  { inspect }: RunsAheadGround,
  id: string,
  broken: readonly Broken[],
): Promise<readonly (Broken & { readonly position: string })[]> {
  const runId = parseRunId(id);
  const folded = runId === undefined ? undefined : await readState(inspect, runId);
  if (folded === undefined) return [];
  const { plan, state } = folded;
  const { step: position } = placeOf(plan, state);
  return broken
    .filter(({ call }) => mayYetCall(plan, state, call.step, call.isCompensation))
    .map(({ call, differences }) => ({ call, differences, position }));
}
