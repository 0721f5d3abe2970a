import { createRegistry } from "@bufbuild/protobuf";
import { EmptySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { RunEnded, TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AuditEntry } from "../../../proto/gen/sidestep/v1/audit.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import { toCredentials } from "../processor/credentials.ts";
import { fakeScheduleStore } from "../processor/testing/schedules.ts";
import { toSchedules } from "../processor/schedules.ts";
import type { Schedules } from "../processor/schedules.ts";
import type { Triggers } from "../processor/triggers.ts";
import type { Bulk, DefinitionEntry, Hold, MethodLimit } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import type { BulkStore } from "../processor/bulks.ts";
import type { Definitions } from "../processor/definitions.ts";
import { toLoadedPlan } from "../engine/loadPlan.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { loadTestExpression } from "../engine/testing/expression.ts";
import type { Front, QueryAnswer, Requested, RunRequest, StartRequest, StartResult } from "../processor/front.ts";
import type { LimitStore } from "./methodLimits.ts";
import { openFrontServer } from "../frontDoor.ts";
import type { FrontServer, FrontServerOptions } from "../frontDoor.ts";

export const someRun = "0198c0ffee0010008000000000000001" as RunId;

/** A front that answers what a test tells it, and remembers what it was asked. */
export interface FakeFront extends Front {
  readonly starts: StartRequest[];
  readonly requests: RunRequest[];
  startResult: (request: StartRequest, signal: AbortSignal) => StartResult | Promise<StartResult>;
  run: Partial<Run> | undefined;
  /** Of the run, and of what is active. */
  plan: LoadedPlan;
  /** What becomes of each request. */
  requested: Requested;
  queryAnswer: QueryAnswer;
  yielding: (from: number, signal: AbortSignal) => ReturnType<Front["follow"]>;
  held: readonly Hold[];
  /** What the run waits for. */
  explained: string;
  /** Of the run's last record. */
  sequence: number;
  /** Of the engine that the run is pinned to. */
  revision: number;
  /** Resolves when the run has changed. */
  changing: (after: number, signal: AbortSignal) => ReturnType<Front["changed"]>;
  /** How often somebody has looked at the run. */
  looks: number;
  /** Ends the run for those that wait and will wait. */
  end(ended: Partial<RunEnded>): void;
  /** Resolves when somebody waits. */
  readonly waited: Promise<void>;
}

export function fakeFront(): FakeFront {
  const ended = Promise.withResolvers<RunEnded>();
  const waited = Promise.withResolvers<void>();
  const front: FakeFront = {
    starts: [],
    requests: [],
    startResult: () => ({ kind: "started", runId: someRun }),
    run: undefined,
    plan: makePlan(),
    requested: { kind: "done", ignored: false, refusal: "" },
    queryAnswer: { kind: "answer", response: new Uint8Array() },
    yielding: () => Promise.resolve({ kind: "unknown" }),
    held: [],
    explained: "",
    sequence: 1,
    revision: 2,
    changing: () => Promise.resolve({ kind: "unknown" }),
    waited: waited.promise,
    end: (given) =>
      ended.resolve({
        state: 4,
        response: new Uint8Array(),
        status: undefined,
        step: "",
        responsePayload: undefined,
        ...given,
      }),
    start: async (request, signal) => {
      front.starts.push(request);
      return front.startResult(request, signal);
    },
    wait: (_runId, signal) => {
      waited.resolve();
      const aborted = new Promise<{ readonly kind: "aborted" }>((resolve) => {
        if (signal.aborted) resolve({ kind: "aborted" });
        signal.addEventListener("abort", () => resolve({ kind: "aborted" }));
      });
      return Promise.race([ended.promise.then((one) => ({ kind: "ended" as const, ended: one })), aborted]);
    },
    get: (runId) => {
      const { run } = front;
      return Promise.resolve(
        run === undefined
          ? { kind: "unknown" }
          : {
              kind: "run",
              run: { ...Run.fromPartial({}), runId, ...run },
              plan: front.plan,
              response: run.response ?? new Uint8Array(),
              sequence: front.sequence,
              revision: front.revision,
            },
      );
    },
    looks: 0,
    look: (runId) => {
      front.looks += 1;
      return front.get(runId);
    },
    changed: (_runId, after, signal) => front.changing(after, signal),
    records: () => Promise.resolve({ kind: "unknown" }),
    history: () => Promise.resolve({ kind: "history", events: [], next: undefined }),
    request: (_runId, request) => {
      front.requests.push(request);
      return Promise.resolve(front.requested);
    },
    explain: () =>
      Promise.resolve(
        front.run === undefined
          ? { kind: "unknown" }
          : { kind: "explained", explained: { sentence: front.explained, waiting: [], more: 0, actions: [] } },
      ),
    find: () => Promise.resolve(front.run === undefined ? { kind: "unknown" } : { kind: "found", runId: someRun }),
    planOf: () => Promise.resolve({ kind: "plan", plan: front.plan }),
    starterOf: () => Promise.resolve({ kind: "starter", actor: "" }),
    query: () => Promise.resolve(front.queryAnswer),
    follow: (_runId, from, signal) => front.yielding(from, signal),
    rerunPlace: () => Promise.resolve({ kind: "place", index: 0 }),
    migration: () => Promise.resolve({ kind: "unknown" }),
    migrate: () => Promise.resolve({ kind: "unknown" }),
    fateOf: () => Promise.resolve({ kind: "fate", taken: [] }),
    holds: () => Promise.resolve({ kind: "holds", holds: front.held }),
    changeHolds: (change) => {
      const after = change(front.held);
      if (after !== undefined) front.held = after;
      return Promise.resolve({ kind: after === undefined ? "unchanged" : "changed" });
    },
  };
  return front;
}

/** A plan over google.protobuf.StringValue, with expressions in the tests' language. */
export function makePlan(over: Partial<Plan> = {}): LoadedPlan {
  const plan: Plan = {
    ...Plan.decode(new Uint8Array()),
    requestType: "google.protobuf.StringValue",
    responseType: "google.protobuf.Empty",
    body: { steps: [], result: undefined },
    metadata: ["x-tenant"],
    ...over,
  };
  return toLoadedPlan(plan, createRegistry(StringValueSchema, EmptySchema), loadTestExpression);
}

/** Definitions with entries that a test sets, over one contract. */
export interface FakeDefinitions extends Definitions {
  /** Of all that is active. */
  plan: LoadedPlan;
  /** Plans that were made at the front door. */
  readonly kept: Plan[];
  set(entries: readonly DefinitionEntry[]): void;
}

export function fakeDefinitions(contract: Uint8Array): FakeDefinitions {
  let entries: readonly DefinitionEntry[] = [];
  const listeners = new Set<() => void>();
  const definitions: FakeDefinitions = {
    plan: makePlan(),
    kept: [],
    set: (next) => {
      entries = next;
      listeners.forEach((listener) => listener());
    },
    deploy: () => Promise.resolve({ kind: "deployed", workflows: [], diagnostics: [] }),
    draft: () => Promise.resolve({ kind: "wrong", diagnostics: [] }),
    list: () => entries,
    get: (workflow) => entries.find((one) => one.workflow === workflow),
    revision: () => 1,
    active: (workflow) =>
      Promise.resolve(
        entries.some((one) => one.workflow === workflow && one.activeVersion > 0)
          ? { workflow, version: 1, planHash: new Uint8Array(32), plan: definitions.plan }
          : undefined,
      ),
    load: () => Promise.resolve(undefined),
    keep: (plan) => {
      definitions.kept.push(plan);
      return Promise.resolve({
        workflow: plan.workflow,
        version: 0,
        planHash: new Uint8Array(32),
        plan: definitions.plan,
      });
    },
    describe: () => Promise.resolve(undefined),
    contract: () => Promise.resolve(contract),
    refresh: () => Promise.resolve(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return definitions;
}

export function makeEntry(workflow: string, activeVersion = 1, more: Partial<DefinitionEntry> = {}): DefinitionEntry {
  const version = {
    number: 1,
    contentHash: new Uint8Array(32),
    planHash: new Uint8Array(32),
    deployedAtMs: 1,
    methods: [],
    attributes: [],
    triggers: [],
  };
  return {
    workflow,
    activeVersion,
    version: [version],
    contractHash: new Uint8Array(32),
    requestType: "a.B",
    responseType: "a.C",
    signalMethods: [],
    queryMethods: [],
    streaming: false,
    ...more,
  };
}

/** Limits in memory. */
export function fakeLimits(): LimitStore {
  let limits: readonly MethodLimit[] = [];
  return {
    list: () => Promise.resolve(limits),
    change: (change) => {
      limits = change(limits) ?? limits;
      return Promise.resolve(true);
    },
  };
}

/** Actions on many runs in memory. */
export function fakeBulks(): BulkStore {
  let bulks: readonly Bulk[] = [];
  return {
    list: () => Promise.resolve(bulks),
    change: (change) => {
      bulks = change(bulks) ?? bulks;
      return Promise.resolve(true);
    },
  };
}

/** Nobody knows any. */
const noTriggers: Triggers = {
  list: () => Promise.resolve({ kind: "list", triggers: [] }),
  describe: unknownTrigger,
  pause: unknownTrigger,
  resume: unknownTrigger,
  parked: unknownTrigger,
  retry: unknownTrigger,
  drop: unknownTrigger,
  remove: unknownTrigger,
};

function unknownTrigger() {
  return Promise.resolve({ kind: "unknown" as const });
}

/** Schedules over records in memory; what is started comes to nothing. */
function fakeSchedules(definitions: Definitions): Schedules {
  const start = () => Promise.resolve({ kind: "waits" as const, reason: "nothing is started here" });
  return toSchedules({ store: fakeScheduleStore(), workflows: definitions, start, now: Date.now });
}

/** An audit in memory; all entries are one page. `entries`: as they are now, oldest first. */
export function fakeAudit(): AuditStore & { readonly entries: AuditEntry[]; isAway: boolean } {
  const entries: AuditEntry[] = [];
  const store = {
    entries,
    isAway: false,
    put: (entry: AuditEntry) => {
      if (store.isAway) return Promise.resolve(false);
      const at = entries.findIndex(({ id }) => id === entry.id);
      if (at >= 0) entries.splice(at, 1);
      entries.push(entry);
      return Promise.resolve(true);
    },
    page: (before = Infinity) => {
      const found = entries.map((entry, index) => ({ at: index + 1, entry })).filter(({ at }) => at < before);
      return Promise.resolve({ entries: found.toReversed(), next: undefined });
    },
  };
  return store;
}

/** A front server on a port of its own. */
export function openTestServer(
  front: Front,
  definitions: Definitions,
  options: Partial<FrontServerOptions> = {},
): Promise<FrontServer> {
  const traceOf = (): TraceStart => ({
    traceId: new Uint8Array(16),
    parentSpanId: new Uint8Array(),
    sampled: true,
    tracestate: "",
  });
  return openFrontServer({
    front,
    definitions,
    showTrace: () => ({ traceId: "", tree: [], otlpJson: "" }),
    showStep: () => undefined,
    catalog: {
      sidecars: () => [],
      isServed: () => true,
      isBroken: () => false,
      driftOf: () => undefined,
      offersOf: () => undefined,
    },
    checkDeploy: () =>
      Promise.resolve({
        kind: "planned",
        workflows: [],
        diagnostics: [],
        breaks: [],
        runsLookedAt: 0n,
        runsNotLookedAt: 0n,
        runsUnknown: false,
      }),
    files: {
      exportRun: () => Promise.resolve({ kind: "unknown" }),
      importRun: () => Promise.resolve({ kind: "indexOff" }),
    },
    limits: fakeLimits(),
    bulks: fakeBulks(),
    audit: fakeAudit(),
    schedules: fakeSchedules(definitions),
    triggers: noTriggers,
    readTaskQueues: () => Promise.resolve([]),
    tellSidecar: () => undefined,
    credentials: toCredentials([Buffer.from("one for all orchestrators")]),
    fetchRequest: () => Promise.resolve(undefined),
    dropRequest: () => undefined,
    lists: undefined,
    address: "127.0.0.1:0",
    requestBytesMax: 1000,
    payloadBytesMax: 1000,
    deployBytesMax: 32 << 20,
    traceOf,
    log: silentLog,
    ...options,
  });
}
