import { createHash } from "node:crypto";
import type { DefinitionEntry, DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { DeployedWorkflow, DescribeDefinitionResponse } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { CompiledWorkflow } from "../compile/compileImage.ts";
import { compileImage } from "../compile/compileImage.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { describePlan } from "../projection/describedPlan.ts";
import { contractOf, parseImage } from "./contract.ts";
import { DefinitionStoreError } from "./definitionStore.ts";
import type { DefinitionStore, StoredIndex } from "./definitionStore.ts";
import { deployInto } from "./deployment.ts";
import type { Candidate } from "./deployment.ts";
import type { ActiveWorkflow } from "./front.ts";
import { openHashCache } from "./hashCache.ts";

export type DeployResult =
  /** With warnings at most. */
  | {
      readonly kind: "deployed";
      readonly workflows: readonly DeployedWorkflow[];
      readonly diagnostics: readonly Diagnostic[];
    }
  /** At least one error; nothing was written. */
  | { readonly kind: "wrong"; readonly diagnostics: readonly Diagnostic[] };

export type DraftResult =
  | {
      readonly kind: "drafted";
      readonly workflows: readonly DeployedWorkflow[];
      readonly diagnostics: readonly Diagnostic[];
      /** Of the image, by workflow. */
      readonly plans: ReadonlyMap<string, Plan>;
      /** What is deployed now. */
      readonly index: DefinitionIndex;
    }
  | Extract<DeployResult, { readonly kind: "wrong" }>;

/** The workflows of all services, as this orchestrator knows them. */
export interface Definitions extends AsyncDisposable {
  /** All or nothing; throws DefinitionStoreError, and then it may or may not have become active. */
  deploy(image: Uint8Array, isDryRun: boolean): Promise<DeployResult>;
  /** What a deploy would make of an image; writes nothing. Throws DefinitionStoreError. */
  draft(image: Uint8Array): Promise<DraftResult>;
  /** All workflows ever deployed, by name. */
  list(): readonly DefinitionEntry[];
  get(workflow: string): DefinitionEntry | undefined;
  /** Grows with each change of what is deployed. */
  revision(): number;
  /** What a run that starts now is pinned to; undefined: unknown or retired. Throws DefinitionStoreError. */
  active(workflow: string): Promise<ActiveWorkflow | undefined>;
  /** A plan by the SHA-256 of its bytes; undefined: there is none. Throws DefinitionStoreError. */
  load(planHash: Uint8Array): Promise<LoadedPlan | undefined>;
  /**
   * Keeps a plan that was made here and not compiled, so that runs can be pinned to it, and makes room for the tasks of what it calls.
   * Throws DefinitionStoreError.
   */
  keep(plan: Plan): Promise<ActiveWorkflow>;
  /** A version as it was written; 0: the active one. Undefined: there is none. Throws DefinitionStoreError. */
  describe(workflow: string, version: number): Promise<DescribeDefinitionResponse | undefined>;
  /** A google.protobuf.FileDescriptorSet for reflection. Throws DefinitionStoreError. */
  contract(hash: Uint8Array): Promise<Uint8Array | undefined>;
  /** Reads the index again if it may have changed. Throws DefinitionStoreError. */
  refresh(): Promise<void>;
  /** Called after each change of what is deployed. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** Plans, and contracts, kept in memory. */
const plansKept = 256;
const deployRounds = 8;

/** Opens the definitions and follows them; what other orchestrators deploy shows here by itself. */
export async function openDefinitions(given: {
  readonly store: DefinitionStore;
  readonly now: () => number;
  readonly log: Log;
}): Promise<Definitions> {
  const { store, now, log } = given;
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  const contracts = openHashCache(plansKept, (hash: Uint8Array) => store.readContract(hash));
  const plans = openHashCache(plansKept, async (hash: Uint8Array) => {
    const bytes = await store.readPlan(hash);
    return bytes === undefined ? undefined : loadPlan(bytes);
  });
  let stored: StoredIndex = { index: { workflow: [] }, revision: 0 };
  let byName: ReadonlyMap<string, DefinitionEntry> = new Map();
  const follow = (next: StoredIndex): void => {
    if (next.revision <= stored.revision) return;
    stored = next;
    byName = new Map(next.index.workflow.map((entry) => [entry.workflow, entry]));
    listeners.forEach((listener) => listener());
  };
  const refresh = async (): Promise<void> => follow(await store.readIndex());
  await refresh();
  store.watch(() => {
    refresh().catch((error: unknown) =>
      log.warn("definitions can't be read; they stay as they were", { error: errorText(error) }),
    );
  }, stop.signal);

  const find = (workflow: string): DefinitionEntry | undefined => byName.get(workflow);
  const activeWorkflow = async (workflow: string): Promise<ActiveWorkflow | undefined> => {
    const entry = find(workflow);
    const version = entry?.version.find(({ number }) => number === entry.activeVersion);
    if (version === undefined) return undefined;
    const plan = await plans(version.planHash);
    if (plan === undefined) {
      log.error("the plan of an active workflow is missing; deploy it again", {
        workflow,
        plan: toHex(version.planHash),
      });
      return undefined;
    }
    return { workflow, version: version.number, plan, planHash: version.planHash };
  };
  return {
    deploy: async (image, isDryRun) => {
      const { result, index } = await deploy(store, image, isDryRun, now());
      if (index !== undefined) follow(index);
      return result;
    },
    draft: (image) => draft(store, image, now()),
    list: () => stored.index.workflow,
    get: find,
    revision: () => stored.revision,
    active: activeWorkflow,
    load: plans,
    keep: openPlanKeeper(store),
    describe: (workflow, version) => describeVersion(find(workflow), version, plans),
    contract: contracts,
    refresh,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return Promise.resolve();
    },
  };
}

async function describeVersion(
  entry: DefinitionEntry | undefined,
  wanted: number,
  plans: Definitions["load"],
): Promise<DescribeDefinitionResponse | undefined> {
  const version = entry?.version.find(({ number }) => number === (wanted === 0 ? entry.activeVersion : wanted));
  const plan = version === undefined ? undefined : await plans(version.planHash);
  return version === undefined || plan === undefined ? undefined : describePlan(plan.plan, version.number);
}

async function deploy(
  store: DefinitionStore,
  image: Uint8Array,
  isDryRun: boolean,
  nowMs: number,
): Promise<{ readonly result: DeployResult; readonly index: StoredIndex | undefined }> {
  const { workflows: compiled, services, diagnostics } = compileImage(image, {});
  if (diagnostics.some(({ severity }) => severity === Diagnostic_Severity.ERROR)) {
    return { result: { kind: "wrong", diagnostics }, index: undefined };
  }
  const drafts = toDrafts(image, compiled);
  if (!isDryRun) await prepare(store, drafts);
  const candidates = drafts.map(({ candidate }) => candidate);
  const { index, workflows } = await commit(store, candidates, services, nowMs, isDryRun);
  return { result: { kind: "deployed", workflows, diagnostics }, index };
}

async function draft(store: DefinitionStore, image: Uint8Array, nowMs: number): Promise<DraftResult> {
  const { workflows: compiled, services, diagnostics } = compileImage(image, {});
  if (diagnostics.some(({ severity }) => severity === Diagnostic_Severity.ERROR)) return { kind: "wrong", diagnostics };
  const candidates = toDrafts(image, compiled).map(({ candidate }) => candidate);
  const { index } = await store.readIndex();
  const { workflows } = deployInto(index, candidates, services, nowMs);
  const plans = new Map(compiled.map(({ workflow, plan }) => [workflow, plan]));
  return { kind: "drafted", workflows, diagnostics, plans, index };
}

/** Keeps plans, each written once while it is remembered here. */
function openPlanKeeper(store: DefinitionStore): Definitions["keep"] {
  // By their bytes: equal plans have equal ones.
  const kept = openHashCache(plansKept, async (bytes: Uint8Array): Promise<ActiveWorkflow> => {
    const plan = loadPlan(bytes);
    const planHash = sha256(bytes);
    await store.writePlan(planHash, bytes);
    await ensureConsumers(store, plan.plan.methods);
    return { workflow: plan.plan.workflow, version: 0, plan, planHash };
  });
  return async (plan) => {
    const workflow = await kept(Plan.encode(plan).finish());
    if (workflow === undefined) throw new DefinitionStoreError("a plan could not be kept");
    return workflow;
  };
}

interface Draft {
  readonly candidate: Candidate;
  readonly plan: Uint8Array;
  readonly contract: Uint8Array;
}

function toDrafts(image: Uint8Array, compiled: readonly CompiledWorkflow[]): readonly Draft[] {
  const set = parseImage(image);
  if (set === undefined) return [];
  return compiled.map(({ workflow, plan, contentPreimage }) => {
    const planBytes = Plan.encode(plan).finish();
    const contract = contractOf(set, splitMethod(workflow).service);
    const candidate = {
      workflow,
      requestType: plan.requestType,
      responseType: plan.responseType,
      methods: plan.methods,
      attributes: plan.attributes.map(({ name }) => name).toSorted(),
      signalMethods: plan.signals.flatMap(({ method }) => (method === "" ? [] : [method])).toSorted(),
      queryMethods: plan.queries.map(({ method }) => method).toSorted(),
      streaming: plan.streaming,
      triggers: plan.triggers.map(({ name }) => name),
      contentHash: sha256(contentPreimage),
      planHash: sha256(planBytes),
      contractHash: sha256(contract),
    };
    return { candidate, plan: planBytes, contract };
  });
}

/** Everything that the new index will name is there before it is. */
async function prepare(store: DefinitionStore, drafts: readonly Draft[]): Promise<void> {
  for (const { candidate, plan, contract } of drafts) {
    await store.writePlan(candidate.planHash, plan);
    await store.writeContract(candidate.contractHash, contract);
  }
  await ensureConsumers(
    store,
    drafts.flatMap(({ candidate }) => candidate.methods),
  );
}

async function ensureConsumers(store: DefinitionStore, methods: readonly string[]): Promise<void> {
  const services = new Set(methods.map((method) => splitMethod(method).service));
  for (const service of services) await store.ensureTaskConsumer(service);
}

/** Puts the candidates into the index, again and again while others change it meanwhile. */
async function commit(
  store: DefinitionStore,
  candidates: readonly Candidate[],
  services: readonly string[],
  nowMs: number,
  isDryRun: boolean,
): Promise<{ readonly index: StoredIndex; readonly workflows: readonly DeployedWorkflow[] }> {
  for (let round = 1; round <= deployRounds; round++) {
    const before = await store.readIndex();
    const { index, workflows } = deployInto(before.index, candidates, services, nowMs);
    if (isDryRun || index === before.index) return { index: before, workflows };
    if (await store.replaceIndex(index, before.revision)) return { index: await store.readIndex(), workflows };
  }
  throw new DefinitionStoreError(`the definitions changed ${deployRounds} times during one deploy: deploy again.`);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
