import { Metadata, status } from "@grpc/grpc-js";
import { beforeAll, expect, afterAll, test } from "vitest";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { Bulk_State, BulkAction_Kind as Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { BulkAction } from "../../../proto/gen/sidestep/v1/runs.ts";
import { Bulk } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { fittingRuns } from "../compile/filter/bulkFilter.ts";
import { parseFilter } from "../compile/filter/parseFilter.ts";
import type { RunStore } from "../processor/runStore.ts";
import { openRunStore } from "../sql/store.ts";
import { makeRow } from "../sql/testing.ts";
import { toBulkAct } from "./bulkAction.ts";
import { getBulk, listBulks, previewBulk, startBulk, stopBulk } from "./bulks.ts";
import type { BulksOptions } from "./bulks.ts";
import { lengthsMax } from "./lengths.ts";
import { fakeBulks, fakeFront, someRun } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let options: BulksOptions;
let store: RunStore;
/** Six runs: the even ones have ended. */
beforeAll(async () => {
  store = closing.use(await openRunStore({ kind: "sqlite", file: "" }));
  const { epoch } = await store.cursor(0, { created: "", lastSequence: 9 });
  const rows = [1, 2, 3, 4, 5, 6].map((number) =>
    makeRow(number, number % 2 === 0 ? { state: Run_State.COMPLETED, endedMs: 5 } : {}),
  );
  await store.write({ partition: 0, epoch, upTo: 9, rows });
  const lists = {
    store,
    readFilter: parseFilter,
    fitting: fittingRuns,
    progress: () => [],
    ready: () => Promise.resolve(),
    rebuild: () => Promise.resolve(),
    archived: () => Promise.resolve(undefined),
  };
  options = { lists, bulks: fakeBulks(), payloadBytesMax: 1_000 };
});

const action = (kind: Kind, more: Partial<BulkAction> = {}): BulkAction => ({
  kind,
  reason: "r",
  result: Buffer.of(),
  ...more,
});
const begin = (filter: string, kind: Kind, key?: string, rate = 0) => {
  const metadata = new Metadata();
  if (key !== undefined) metadata.set("idempotency-key", key);
  return startBulk({ filter, action: action(kind), rate }, { metadata, actor: "ann" }, options, 1_000);
};

test("a preview says how many runs a filter finds, how many of them the action fits, and which are the first", async () => {
  const seen = await previewBulk({ filter: "version > 0", action: action(Kind.CANCEL) }, options, 1);
  expect(seen).toMatchObject({ kind: "answer", answer: { found: 6n, runs: 3n } });
  const first = seen.kind === "answer" ? seen.answer.first.map(({ run }) => run?.key) : [];
  expect(first).toEqual(["o-5", "o-3", "o-1"]);
  const resumed = await previewBulk({ filter: "version > 0", action: action(Kind.RESUME) }, options, 1);
  expect(resumed).toMatchObject({ answer: { found: 6n, runs: 0n, first: [] } });
});

test("an action on many runs is refused without a filter, without an action, with a rate or a text that is too large", async () => {
  const wrong = (reason: string) => ({ kind: "failure", failure: { reason } });
  expect(await begin(" ", Kind.CANCEL)).toMatchObject(wrong("INVALID_BULK"));
  expect(await begin("held", Kind.KIND_UNSPECIFIED)).toMatchObject(wrong("INVALID_BULK"));
  expect(await begin("held", Kind.CANCEL, undefined, 1_001)).toMatchObject(wrong("INVALID_BULK"));
  expect(await begin("hold", Kind.CANCEL)).toMatchObject(wrong("INVALID_FILTER"));
  const long = action(Kind.CANCEL, { reason: "r".repeat(lengthsMax.reason + 1) });
  expect(await previewBulk({ filter: "held", action: long }, options, 1)).toMatchObject(wrong("TOO_LONG"));
  const large = action(Kind.SKIP, { result: Buffer.alloc(1_001) });
  expect(await previewBulk({ filter: "held", action: large }, options, 1)).toMatchObject(wrong("TOO_LARGE"));
  expect(await listBulks(options)).toEqual({ kind: "answer", answer: { bulks: [] } });
});

test("one begins once for a key, is found until it is stopped, and ten go on at most", async () => {
  const one = await begin("version > 0", Kind.CANCEL, "k");
  expect(one).toMatchObject({
    answer: { bulk: { state: Bulk_State.RUNNING, runs: 3n, rate: 100, actor: "ann", done: 0n } },
  });
  expect(await begin("version > 0", Kind.CANCEL, "k")).toEqual(one);
  const bulkId = one.kind === "answer" ? one.answer.bulk.bulkId : "";
  expect(await getBulk(bulkId, options)).toEqual(one);
  for (let number = 1; number < 10; number++) await begin("version > 0", Kind.PAUSE, String(number));
  expect(await begin("held", Kind.PAUSE)).toMatchObject({ failure: { reason: "BULK_LIMIT" } });
  const stopped = await stopBulk(bulkId, options, 2_000);
  expect(stopped).toMatchObject({ answer: { bulk: { state: Bulk_State.STOPPED, endedAt: { seconds: 2n } } } });
  expect(await stopBulk(bulkId, options, 3_000)).toEqual(stopped);
  expect(await begin("held", Kind.PAUSE)).toMatchObject({ kind: "answer" });
  expect(await stopBulk("none", options, 1)).toMatchObject({ failure: { code: status.NOT_FOUND } });
  expect(await getBulk("none", options)).toMatchObject({ failure: { reason: "BULK_NOT_FOUND" } });
});

test("a run of many is asked under an id of its own, and is not asked again when it has taken that", async () => {
  const front = fakeFront();
  const act = toBulkAct({ front, payloadBytesMax: 1_000, store });
  const bulk = (kind: Kind): Bulk => ({ ...Bulk.decode(new Uint8Array()), id: "b", action: kind, reason: "r" });
  front.run = {};
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toEqual({ kind: "done" });
  expect(front.requests).toMatchObject([{ kind: "cancel", event: { requestId: `b.${someRun}`, reason: "r" } }]);
  front.fateOf = () => Promise.resolve({ kind: "taken" });
  expect(await act(bulk(Kind.CANCEL), someRun, true)).toEqual({ kind: "done" });
  expect(front.requests).toHaveLength(1);
  expect(await act(bulk(Kind.RETRY), someRun, false)).toMatchObject({ kind: "refused", reason: "NO_INCIDENT" });
  const incident = { compensation: false, reason: Incident_Reason.EXHAUSTED, error: undefined, since: undefined };
  front.run = {
    incidents: [
      { ...incident, step: "a", attempts: 1 },
      { ...incident, step: "b", attempts: 1 },
    ],
  };
  expect(await act(bulk(Kind.RETRY), someRun, false)).toEqual({ kind: "done" });
  expect(front.requests.slice(1)).toMatchObject([
    { kind: "retry", event: { step: "a", requestId: `b.${someRun}.0` } },
    { kind: "retry", event: { step: "b", requestId: `b.${someRun}.1` } },
  ]);
  front.requested = { kind: "done", ignored: true, refusal: "" };
  front.run = { endedAt: { seconds: 1n, nanos: 0 } };
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toMatchObject({ kind: "refused", reason: "RUN_ENDED" });
  front.request = () => Promise.resolve({ kind: "unavailable", message: "m" });
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toMatchObject({ kind: "unanswered" });
});
