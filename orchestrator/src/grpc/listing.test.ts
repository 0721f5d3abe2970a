import { credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HistoryEvent, HistoryEvent_Kind, Run, Run_State, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import {
  CountRunsRequest,
  ListIncidentsRequest,
  ListRunsRequest,
  RunsClient,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import type {
  ListRunsResponse,
  RebuildIndexResponse,
  WatchIndexResponse,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import { StepAttempt } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { ErrorInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { fittingRuns } from "../compile/filter/bulkFilter.ts";
import { parseFilter } from "../compile/filter/parseFilter.ts";
import { RunStoreError } from "../processor/runStore.ts";
import type { RunStore } from "../processor/runStore.ts";
import { openRunStore } from "../sql/store.ts";
import { makeRow } from "../sql/testing.ts";
import type { RunLists } from "./listing.ts";
import { fakeDefinitions, fakeFront, openTestServer, someRun } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let store: RunStore;
beforeAll(async () => {
  store = closing.use(await openRunStore({ kind: "sqlite", file: "" }));
  const { epoch } = await store.cursor(0, { created: "", lastSequence: 9 });
  const rows = [1, 2, 3, 4, 5].map((number) =>
    makeRow(number, { state: number === 5 ? Run_State.PAUSED : Run_State.RUNNING }),
  );
  await store.write({ partition: 0, epoch, upTo: 9, rows });
});

/** A front door over an index that has some rows. */
async function open(over: Partial<RunLists> | "off" = {}): Promise<RunsClient> {
  const lists: RunLists = {
    store,
    readFilter: parseFilter,
    fitting: fittingRuns,
    progress: () => [{ partition: 0, position: 9, head: 9, lagMs: 1_500, isCatchingUp: false, isForeign: false }],
    ready: () => Promise.resolve(),
    rebuild: () => store.rebuild([0]),
    archived: () => Promise.resolve(undefined),
    ...(over === "off" ? {} : over),
  };
  const front = { ...fakeFront(), get: () => Promise.resolve({ kind: "unknown" } as const) };
  const server = closing.use(
    await openTestServer(
      {
        ...front,
        history: () => Promise.resolve({ kind: "unknown" }),
        records: () => Promise.resolve({ kind: "unknown" }),
      },
      fakeDefinitions(new Uint8Array()),
      { lists: over === "off" ? undefined : lists },
    ),
  );
  const client = new RunsClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
  closing.defer(() => client.close());
  return client;
}

interface Told<Response> {
  readonly code: number;
  readonly answer?: Response;
  readonly message?: string;
  readonly reason?: string;
}

/** The answer, or the error with the reason of our ErrorInfo. */
function ask<Request, Response>(
  method: (request: Request, answer: (error: ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Told<Response>> {
  return new Promise((resolve) => {
    method(request, (error, answer) => {
      if (error === null) return resolve({ code: status.OK, answer });
      const trailer = error.metadata.get(statusDetailsTrailer)[0];
      const [detail] = RpcStatus.decode(trailer instanceof Uint8Array ? trailer : new Uint8Array()).details;
      const { reason } = ErrorInfo.decode(detail?.value ?? new Uint8Array());
      resolve({ code: error.code, message: error.details, reason });
    });
  });
}

test("runs are listed a page at a time, newest first, with how far the index is behind", async () => {
  const runs = await open();
  const list = (request: ListRunsRequest, answer: (error: ServiceError | null, response: ListRunsResponse) => void) =>
    runs.list(request, answer);
  const filter = "state == RUNNING";
  const keys: (string | undefined)[] = [];
  let pageToken = "";
  do {
    const asked = await ask(list, ListRunsRequest.fromPartial({ filter, pageSize: 3, pageToken }));
    expect(asked).toMatchObject({ code: status.OK, answer: { lag: { seconds: 1n, nanos: 500_000_000 } } });
    keys.push(...(asked.answer?.runs ?? []).map(({ run }) => run?.key));
    pageToken = asked.answer?.nextPageToken ?? "";
  } while (pageToken !== "");
  expect(keys).toEqual(["o-4", "o-3", "o-2", "o-1"]);
  // From a place on, and on from there.
  const from = await ask(list, ListRunsRequest.fromPartial({ filter, pageSize: 1, skip: 2 }));
  expect(from.answer?.runs.map(({ run }) => run?.key)).toEqual(["o-2"]);
  const behind = { filter, pageSize: 1, pageToken: from.answer?.nextPageToken ?? "" };
  const next = await ask(list, ListRunsRequest.fromPartial(behind));
  expect(next.answer?.runs.map(({ run }) => run?.key)).toEqual(["o-1"]);
  expect(await ask(list, ListRunsRequest.fromPartial({ filter, skip: 9 }))).toMatchObject({ answer: { runs: [] } });
  expect(await ask(list, ListRunsRequest.fromPartial({ pageToken: "1" }))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "INVALID_PAGE_TOKEN",
  });
  expect(await ask(runs.count.bind(runs), CountRunsRequest.fromPartial({}))).toMatchObject({
    answer: {
      counts: [
        { state: Run_State.RUNNING, runs: 4n },
        { state: Run_State.PAUSED, runs: 1n },
      ],
    },
  });
});

test("a bad filter is told with its column and a hint, whatever it is given to", async () => {
  const runs = await open();
  const filter = "held && stat == PAUSED";
  const told = {
    code: status.INVALID_ARGUMENT,
    reason: "INVALID_FILTER",
    message: "the filter is wrong at column 9 (stat): a run has no field 'stat'; did you mean 'state'?",
  };
  expect(await ask(runs.list.bind(runs), ListRunsRequest.fromPartial({ filter }))).toMatchObject(told);
  expect(await ask(runs.count.bind(runs), CountRunsRequest.fromPartial({ filter }))).toMatchObject(told);
  expect(await ask(runs.listIncidents.bind(runs), ListIncidentsRequest.fromPartial({ filter }))).toMatchObject(told);
});

test("without an index lists are refused, and one that is away is told", async () => {
  const without = await open("off");
  expect(await ask(without.list.bind(without), ListRunsRequest.fromPartial({}))).toMatchObject({ reason: "INDEX_OFF" });
  expect(await ask(without.getIndex.bind(without), {})).toMatchObject({ reason: "INDEX_OFF" });
  const away = await open({
    readFilter: () => {
      throw new RunStoreError("PostgreSQL: connection refused");
    },
  });
  expect(await ask(away.list.bind(away), ListRunsRequest.fromPartial({}))).toMatchObject({
    code: status.UNAVAILABLE,
    reason: "INDEX_UNAVAILABLE",
  });
});

test("a rebuild tells how far it is until it is done", async () => {
  let asked = 0;
  const runs = await open({
    progress: () => [
      { partition: 0, position: asked * 5, head: 9, lagMs: 0, isCatchingUp: asked++ < 1, isForeign: false },
    ],
  });
  const stream = runs.rebuildIndex({ reason: "" }, new Metadata());
  const told: RebuildIndexResponse[] = [];
  for await (const message of stream) told.push(message);
  expect(told.map(({ done, partitions }) => [done, partitions[0]?.position])).toEqual([
    [false, 0n],
    [true, 5n],
  ]);
});

test("a run that the log has no more comes from the archive, with its history, its trace and its steps", async () => {
  const events = [1n, 2n, 5n].map((sequence) =>
    HistoryEvent.fromPartial({ sequence, kind: HistoryEvent_Kind.TIMER_FIRED }),
  );
  const begun = [false, true].map((compensation) => StepStatus.fromPartial({ path: "ship", compensation }));
  const run = { ...Run.fromPartial({ runId: someRun }), steps: begun };
  const trace = { traceId: "t", tree: ["run"], otlpJson: "{}" };
  const attempts = [StepAttempt.fromPartial({ attempt: 1, method: "shop.v1.Carrier/Ship" })];
  const details = { expressions: [], attempts };
  const steps = [{ step: "ship", compensation: false, details }];
  const runs = await open({ archived: () => Promise.resolve({ run, events, trace, steps }) });
  expect(await ask(runs.get.bind(runs), { runId: someRun })).toMatchObject({ answer: { run: { runId: someRun } } });
  expect(await ask(runs.trace.bind(runs), { runId: someRun })).toMatchObject({ answer: trace });
  const described = (step: string, compensation: boolean) =>
    ask(runs.describeStep.bind(runs), { runId: someRun, step, compensation });
  expect(await described("ship", false)).toMatchObject({ answer: { attempts: [{ method: "shop.v1.Carrier/Ship" }] } });
  // There was no room for it.
  expect(await described("ship", true)).toMatchObject({ code: status.NOT_FOUND, reason: "STEP_NOT_ARCHIVED" });
  expect(await described("pack", false)).toMatchObject({ code: status.NOT_FOUND, reason: "STEP_NOT_FOUND" });
  const first = await ask(runs.history.bind(runs), { runId: someRun, pageSize: 2, pageToken: "" });
  expect(first).toMatchObject({ answer: { events: [{ sequence: 1n }, { sequence: 2n }], nextPageToken: "2" } });
  expect(await ask(runs.history.bind(runs), { runId: someRun, pageSize: 2, pageToken: "2" })).toMatchObject({
    answer: { events: [{ sequence: 5n }], nextPageToken: "" },
  });
});

test("whoever watches the index hears of each change, and the index is looked at once for all", async () => {
  const watchers = 5;
  let looks = 0;
  const runs = await open({
    store: {
      ...store,
      revision: () => {
        looks += 1;
        return store.revision();
      },
    },
  });
  const { epoch } = await store.cursor(1, { created: "", lastSequence: 9 });
  const changed = Promise.withResolvers<void>();
  let begun = 0;
  const streams = Array.from({ length: watchers }, () => runs.watchIndex({}, new Metadata()));
  const heard = streams.map(async (stream) => {
    const revisions: bigint[] = [];
    for await (const { revision } of stream as AsyncIterable<WatchIndexResponse>) {
      revisions.push(revision);
      if (revisions.length === 2) break;
      if (++begun === watchers) changed.resolve();
    }
    return revisions;
  });
  await changed.promise;
  while (looks === 0) await new Promise(setImmediate);
  await store.write({ partition: 1, epoch, upTo: 5, rows: [] });
  expect(await Promise.all(heard)).toEqual(streams.map(() => [0n, 1n]));
  expect(looks).toBeLessThanOrEqual(3);
});

test("an index that is off is not watched", async () => {
  const runs = await open("off");
  const failure = new Promise((resolve) => runs.watchIndex({}, new Metadata()).on("error", resolve));
  expect(await failure).toMatchObject({ code: status.FAILED_PRECONDITION });
});

test("some runs are explained at once, each by its sentence, those that nobody knows not at all", async () => {
  const runs = await open();
  const explained = await ask(runs.explainRuns.bind(runs), { runIds: [someRun, "none"] });
  expect(explained).toMatchObject({ answer: { runs: [] } });
  const many = await ask(runs.explainRuns.bind(runs), { runIds: Array.from({ length: 101 }, () => someRun) });
  expect(many).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "TOO_MANY" });
});
