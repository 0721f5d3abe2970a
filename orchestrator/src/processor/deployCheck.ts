import type { DefinitionEntry, DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import {
  BreakingChange_Kind as Kind,
  DeployedWorkflow_Change as Change,
} from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { PlanResponse } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { callsOf, differencesOfCall } from "../compile/contract/calls.ts";
import { readContract } from "../compile/contract/contract.ts";
import type { Contract } from "../compile/contract/contract.ts";
import { differencesOfMessages } from "../compile/contract/differences.ts";
import { differencesOfTalk } from "../compile/contract/talk.ts";
import { ofCall, ofClients, toBreakingChange } from "./breaking.ts";
import type { Break } from "./breaking.ts";
import type { Definitions } from "./definitions.ts";
import type { LiveContracts } from "./liveContracts.ts";
import { runsThatBreak } from "./runsAhead.ts";
import type { RunsAheadGround } from "./runsAhead.ts";

export interface DeployCheckGround extends RunsAheadGround {
  readonly definitions: Pick<Definitions, "deploy" | "list" | "load" | "draft">;
  readonly live: Pick<LiveContracts, "read">;
}

export type DeployChecked =
  | ({ readonly kind: "planned" } & PlanResponse)
  /** At least one error. */
  | { readonly kind: "wrong"; readonly diagnostics: readonly Diagnostic[] };

/** What deploying an image would change and break. Throws when NATS or the index does not answer. */
export async function checkDeploy(ground: DeployCheckGround, image: Uint8Array): Promise<DeployChecked> {
  const { definitions } = ground;
  const drafted = await definitions.draft(image);
  if (drafted.kind === "wrong") return drafted;
  const { workflows, diagnostics, plans, index } = drafted;
  const there = readContract(image);
  const planned = { kind: "planned" as const, workflows: [...workflows], diagnostics: [...diagnostics] };
  if (there === undefined) return { ...planned, breaks: [], runsLookedAt: 0n, runsNotLookedAt: 0n, runsUnknown: false };
  const isNew = (workflow: string): boolean =>
    workflows.some((one) => one.workflow === workflow && one.change !== Change.UNCHANGED);
  const versionOf = new Map(workflows.map((one) => [one.workflow, one.version]));
  const breaks: Break[] = [];
  for (const [workflow, plan] of plans)
    if (isNew(workflow)) {
      const version = versionOf.get(workflow) ?? 0;
      breaks.push(...(await ofServices(ground, plan, version)), ...(await ofCallers(ground, index, plan)));
    }
  for (const entry of index.workflow)
    if (entry.activeVersion !== 0 && !versionOf.has(entry.workflow))
      breaks.push(...(await ofStaying(ground, entry, there)));
  const runs = await runsThatBreak(ground, index, there);
  return {
    ...planned,
    breaks: [...breaks, ...runs.breaks].map(toBreakingChange),
    runsLookedAt: BigInt(runs.lookedAt),
    runsNotLookedAt: BigInt(runs.notLookedAt),
    runsUnknown: runs.isUnknown,
  };
}

/** Services that run, as a new version calls them. */
async function ofServices({ live }: DeployCheckGround, plan: Plan, version: number): Promise<readonly Break[]> {
  const calls = callsOf(plan);
  const found: Break[] = [];
  for (const call of calls.calls) {
    for (const { contract, sidecars } of await live.read(splitMethod(call.method).service)) {
      const differences = differencesOfCall(calls, call, contract);
      if (differences.length === 0) continue;
      found.push({ ...ofCall(Kind.SERVICE, plan.workflow, version, call, differences), sidecars: [...sidecars] });
    }
  }
  return found;
}

/** Those who call the workflow, and signal and ask its runs, as its active version has it. */
async function ofCallers(
  { definitions }: DeployCheckGround,
  index: DefinitionIndex,
  plan: Plan,
): Promise<readonly Break[]> {
  const entry = index.workflow.find(({ workflow }) => workflow === plan.workflow);
  const before = entry === undefined ? undefined : await activePlan(definitions, entry);
  const [known, there] = [before && readContract(before.descriptors), readContract(plan.descriptors)];
  if (entry === undefined || before === undefined || known === undefined || there === undefined) return [];
  const isStream = plan.streaming ? "it returns a stream now" : "it returns one message now, no stream";
  const differences = [
    ...(before.streaming === plan.streaming ? [] : [{ part: "method" as const, path: "", text: isStream }]),
    ...differencesOfMessages(
      "request",
      { contract: known, message: before.requestType },
      { contract: there, message: plan.requestType },
    ),
    ...differencesOfMessages(
      "response",
      { contract: there, message: plan.responseType },
      { contract: known, message: before.responseType },
    ),
    ...differencesOfTalk({ plan: before, contract: known }, { plan, contract: there }),
  ];
  return differences.length === 0 ? [] : [ofClients(plan.workflow, entry.activeVersion, differences)];
}

/** A workflow that is not in the image, as it calls what is. */
async function ofStaying(
  { definitions }: DeployCheckGround,
  entry: DefinitionEntry,
  there: Contract,
): Promise<readonly Break[]> {
  const plan = await activePlan(definitions, entry);
  if (plan === undefined) return [];
  const calls = callsOf(plan);
  return calls.calls.flatMap((call) => {
    const differences = differencesOfCall(calls, call, there);
    return differences.length === 0
      ? []
      : [ofCall(Kind.CALLER, entry.workflow, entry.activeVersion, call, differences)];
  });
}

async function activePlan(
  { load }: Pick<Definitions, "load">,
  { activeVersion, version }: DefinitionEntry,
): Promise<Plan | undefined> {
  const active = version.find(({ number }) => number === activeVersion);
  return active === undefined ? undefined : (await load(active.planHash))?.plan;
}
