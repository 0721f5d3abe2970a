import type { RunEnded, TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { DefinitionEntry } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { Front, RunRequest, StartRequest, StartResult } from "../processor/front.ts";
import { openFrontServer } from "./server.ts";
import type { FrontServer, FrontServerOptions } from "./server.ts";

export const someRun = "0198c0ffee0010008000000000000001" as RunId;

/** A front that answers what a test tells it, and remembers what it was asked. */
export interface FakeFront extends Front {
  readonly starts: StartRequest[];
  readonly requests: RunRequest[];
  startResult: (request: StartRequest, signal: AbortSignal) => StartResult | Promise<StartResult>;
  run: Partial<Run> | undefined;
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
    waited: waited.promise,
    end: (given) => ended.resolve({ state: 4, response: new Uint8Array(), status: undefined, step: "", ...given }),
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
        run === undefined ? { kind: "unknown" } : { kind: "run", run: { ...Run.fromPartial({}), runId, ...run } },
      );
    },
    records: () => Promise.resolve({ kind: "unknown" }),
    history: () => Promise.resolve({ kind: "history", events: [], next: undefined }),
    request: (_runId, request) => {
      front.requests.push(request);
      return Promise.resolve({ kind: "done", ignored: false });
    },
  };
  return front;
}

/** Definitions with entries that a test sets, over one contract. */
export interface FakeDefinitions extends Definitions {
  set(entries: readonly DefinitionEntry[]): void;
}

export function fakeDefinitions(contract: Uint8Array): FakeDefinitions {
  let entries: readonly DefinitionEntry[] = [];
  const listeners = new Set<() => void>();
  const plan = { plan: { metadata: ["x-tenant"] } };
  return {
    set: (next) => {
      entries = next;
      listeners.forEach((listener) => listener());
    },
    deploy: () => Promise.resolve({ kind: "deployed", workflows: [], diagnostics: [] }),
    list: () => entries,
    get: (workflow) => entries.find((one) => one.workflow === workflow),
    active: (workflow) =>
      Promise.resolve(
        entries.some((one) => one.workflow === workflow && one.activeVersion > 0)
          ? { workflow, version: 1, planHash: new Uint8Array(32), plan: plan as never }
          : undefined,
      ),
    load: () => Promise.resolve(undefined),
    keep: ({ workflow }) =>
      Promise.resolve({ workflow, version: 0, planHash: new Uint8Array(32), plan: plan as never }),
    contract: () => Promise.resolve(contract),
    refresh: () => Promise.resolve(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

export function makeEntry(workflow: string, activeVersion = 1): DefinitionEntry {
  const version = {
    number: 1,
    contentHash: new Uint8Array(32),
    planHash: new Uint8Array(32),
    deployedAtMs: 1,
    methods: [],
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
  };
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
    catalog: { isServed: () => true },
    address: "127.0.0.1:0",
    requestBytesMax: 1000,
    deployBytesMax: 32 << 20,
    traceOf,
    log: silentLog,
    ...options,
  });
}
