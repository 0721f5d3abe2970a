import { Metadata, status } from "@grpc/grpc-js";
import { beforeAll, expect, afterAll, test } from "vitest";
import { Incident, Incident_Reason, PendingApproval, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { Bulk_State, BulkAction_Kind as Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { BulkAction } from "../../../proto/gen/sidestep/v1/runs.ts";
import { Signal } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Bulk, DefinitionEntry, DefinitionVersion } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { fittingRuns } from "../compile/filter/bulkFilter.ts";
import { parseFilter } from "../compile/filter/parseFilter.ts";
import type { RunStore } from "../processor/runStore.ts";
import { openRunStore } from "../sql/store.ts";
import { makeRow } from "../sql/testing.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { MigrationRequest } from "../processor/migration.ts";
import { toBulkAct } from "./bulkAction.ts";
import { getBulk, listBulks, previewBulk, startBulk, stopBulk } from "./bulks.ts";
import { lengthsMax } from "./lengths.ts";
import { fakeBulks, fakeFront, makePlan, someRun } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let options: Parameters<typeof startBulk>[2];
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
  options = { lists, bulks: fakeBulks(), payloadBytesMax: 1_000, definitions };
});

/** Two versions of each workflow, the second one active. */
const definitions = {
  get: (workflow: string) => ({
    ...DefinitionEntry.decode(new Uint8Array()),
    workflow,
    activeVersion: 2,
    version: [1, 2].map((number) => DefinitionVersion.fromPartial({ number, planHash: Uint8Array.of(number) })),
  }),
};

const action = (kind: Kind, more: Partial<BulkAction> = {}): BulkAction => ({
  kind,
  reason: "r",
  result: Buffer.of(),
  payload: Buffer.of(),
  name: "",
  toVersion: 0,
  dropSignals: false,
  by: "",
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
  const form = action(Kind.APPROVE, { payload: Buffer.alloc(1_001) });
  expect(await previewBulk({ filter: "held", action: form }, options, 1)).toMatchObject(wrong("TOO_LARGE"));
  expect(await begin("held", Kind.SIGNAL)).toMatchObject(wrong("INVALID_BULK"));
  expect(await begin("held", Kind.RERUN)).toMatchObject(wrong("INVALID_BULK"));
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
  const act = toBulkAct({ front, payloadBytesMax: 1_000, store, definitions });
  const bulk = (kind: Kind): Bulk => ({ ...Bulk.decode(new Uint8Array()), id: "b", action: kind, reason: "r" });
  front.run = {};
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toEqual({ kind: "done" });
  expect(front.requests).toMatchObject([{ kind: "cancel", event: { requestId: `b.${someRun}`, reason: "r" } }]);
  front.fateOf = taken;
  expect(await act(bulk(Kind.CANCEL), someRun, true)).toEqual({ kind: "done" });
  expect(front.requests).toHaveLength(1);
  front.fateOf = () => Promise.resolve({ kind: "fate", taken: [] });
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
    { kind: "retry", event: { step: "a", requestId: expect.stringContaining(`b.${someRun}.0.`) } },
    { kind: "retry", event: { step: "b", requestId: expect.stringContaining(`b.${someRun}.0.`) } },
  ]);
  front.requested = { kind: "done", ignored: true, refusal: "" };
  front.run = { endedAt: { seconds: 1n, nanos: 0 } };
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toMatchObject({ kind: "refused", reason: "RUN_ENDED" });
  front.request = () => Promise.resolve({ kind: "unavailable", message: "m" });
  expect(await act(bulk(Kind.CANCEL), someRun, false)).toMatchObject({ kind: "unanswered" });
});

/** Acts on one run of many, as a bulk of this kind that bob began. */
function openAct(kind: Kind, more: Partial<Bulk> = {}, deployed: Pick<Definitions, "get"> = definitions) {
  const front = fakeFront();
  front.run = {};
  const act = toBulkAct({ front, payloadBytesMax: 1_000, store, definitions: deployed });
  const bulk: Bulk = { ...Bulk.decode(new Uint8Array()), id: "b", action: kind, reason: "r", actor: "bob", ...more };
  return { front, act: (isRepeat = false) => act(bulk, someRun, isRepeat) };
}

const text = (value: string): Uint8Array => Buffer.of(0x0a, value.length, ...Buffer.from(value));
const wrong: Uint8Array = Buffer.of(0x0a, 0xff);
const requestId = `b.${someRun}`;
const taken = () => Promise.resolve({ kind: "fate", taken: [requestId] } as const);

test("a preview counts the runs that a patch, a signal, a decision or a rerun may fit", async () => {
  const fits = async (kind: Kind, name = "n"): Promise<unknown> => {
    const seen = await previewBulk({ filter: "version > 0", action: action(kind, { name }) }, options, 1);
    return seen.kind === "answer" ? seen.answer.runs : seen.failure;
  };
  expect(await fits(Kind.SIGNAL)).toBe(3n);
  expect(await fits(Kind.RERUN)).toBe(3n);
  expect(await fits(Kind.MIGRATE)).toBe(3n);
  expect([await fits(Kind.PATCH), await fits(Kind.APPROVE), await fits(Kind.REJECT)]).toEqual([0n, 0n, 0n]);
});

test("a run of many is signalled once, and refuses what its version does not take", async () => {
  const { front, act } = openAct(Kind.SIGNAL, { name: "paid", payload: text("x") });
  expect(await act()).toMatchObject({ kind: "refused", reason: "NOT_IN_VERSION" });
  const signal = { name: "paid", type: "google.protobuf.StringValue" };
  front.plan = makePlan({ signals: [Signal.fromPartial(signal)] });
  expect(await act()).toEqual({ kind: "done" });
  const event = { name: "paid", payload: text("x"), requestId, actor: "bob" };
  expect(front.requests).toEqual([{ kind: "signal", event }]);
  front.fateOf = taken;
  expect(await act(true)).toEqual({ kind: "done" });
  expect(front.requests).toHaveLength(1);
  const { front: other, act: actWrong } = openAct(Kind.SIGNAL, { name: "paid", payload: wrong });
  other.plan = makePlan({ signals: [Signal.fromPartial(signal)] });
  expect(await actWrong()).toMatchObject({ kind: "refused", reason: "WRONG_TYPE" });
  expect(other.requests).toEqual([]);
});

test("a run of many is approved once in the name of whoever began it, who has to be an approver of the only approval", async () => {
  const { front, act } = openAct(Kind.APPROVE, { payload: text("fine") });
  const approval = { ...PendingApproval.fromPartial({ step: "a", type: "google.protobuf.StringValue" }) };
  expect(await act()).toMatchObject({ kind: "refused", reason: "NO_APPROVAL" });
  front.run = { approvals: [{ ...approval, approvers: ["ann"] }] };
  expect(await act()).toMatchObject({ kind: "refused", reason: "NOT_AN_APPROVER" });
  front.run = { approvals: [{ ...approval, type: "" }] };
  expect(await act()).toMatchObject({ kind: "refused", reason: "WRONG_TYPE" });
  front.run = { approvals: [approval, { ...approval, step: "b" }] };
  expect(await act()).toMatchObject({ kind: "refused", reason: "SEVERAL_APPROVALS" });
  expect(front.requests).toEqual([]);
  front.run = { approvals: [{ ...approval, approvers: ["bob"] }] };
  expect(await act()).toEqual({ kind: "done" });
  const event = { step: "a", approved: true, form: text("fine"), by: "bob", comment: "r", requestId, actor: "bob" };
  expect(front.requests).toEqual([{ kind: "decide", event }]);
  front.fateOf = taken;
  expect(await act(true)).toEqual({ kind: "done" });
  expect(front.requests).toHaveLength(1);
});

test("many are decided in another's name by an admin alone, where there are tokens, and it is told who did it", async () => {
  const start = (role: string | undefined) => {
    const metadata = new Metadata();
    metadata.set("sidestep-actor", "bob");
    if (role !== undefined) metadata.set("sidestep-role", role);
    const approve = action(Kind.APPROVE, { by: "ann" });
    return startBulk(
      { filter: "held", action: approve, rate: 0 },
      { metadata, actor: "bob" },
      { ...options, bulks: fakeBulks() },
      1,
    );
  };
  const refused = { kind: "failure", failure: { code: status.PERMISSION_DENIED, reason: "NOT_YOUR_NAME" } };
  expect(await start("operator")).toMatchObject(refused);
  for (const role of ["admin", undefined])
    expect(await start(role)).toMatchObject({ answer: { bulk: { action: { by: "ann" }, actor: "bob" } } });
  const { front, act } = openAct(Kind.APPROVE, { by: "ann" });
  front.run = { approvals: [{ ...PendingApproval.fromPartial({ step: "a" }), approvers: ["ann"] }] };
  expect(await act()).toEqual({ kind: "done" });
  expect(front.requests).toMatchObject([{ kind: "decide", event: { by: "ann", actor: "bob" } }]);
});

test("a run of many is rejected at the approval that is named", async () => {
  const { front, act } = openAct(Kind.REJECT, { name: "b" });
  front.run = { approvals: ["a", "b"].map((step) => PendingApproval.fromPartial({ step })) };
  expect(await act()).toEqual({ kind: "done" });
  expect(front.requests).toMatchObject([{ kind: "decide", event: { step: "b", approved: false, by: "bob" } }]);
});

test("a run of many is patched once at its only incident, or at the one that is named", async () => {
  const { front, act } = openAct(Kind.PATCH, { payload: text("x") });
  expect(await act()).toMatchObject({ kind: "refused", reason: "NO_INCIDENT" });
  front.run = { incidents: ["a", "b"].map((step) => Incident.fromPartial({ step })) };
  expect(await act()).toMatchObject({ kind: "refused", reason: "SEVERAL_INCIDENTS" });
  expect(front.requests).toEqual([]);
  const { front: other, act: actNamed } = openAct(Kind.PATCH, { payload: text("x"), name: "b" });
  other.run = front.run;
  expect(await actNamed()).toEqual({ kind: "done" });
  expect(other.requests).toMatchObject([{ kind: "patch", event: { step: "b", request: text("x"), requestId } }]);
  other.fateOf = taken;
  expect(await actNamed(true)).toEqual({ kind: "done" });
  expect(other.requests).toHaveLength(1);
});

test("a run of many goes on by the version that is meant, or by the active one, once", async () => {
  for (const toVersion of [1, 0]) {
    const { front, act } = openAct(Kind.MIGRATE, { toVersion });
    const asked: MigrationRequest[] = [];
    front.migrate = (_, request) => {
      asked.push(request);
      return Promise.resolve({ kind: "done", at: "a" });
    };
    expect(await act()).toEqual({ kind: "done" });
    const version = toVersion === 0 ? 2 : toVersion;
    expect(asked).toEqual([
      { version, planHash: Uint8Array.of(version), reason: "r", actor: "bob", requestId, dropSignals: false },
    ]);
    front.fateOf = taken;
    expect(await act(true)).toEqual({ kind: "done" });
    expect(asked).toHaveLength(1);
  }
  const { front, act } = openAct(Kind.MIGRATE);
  front.migrate = () => Promise.resolve({ kind: "differs", sequence: 3, step: "a", text: "it is another one" });
  expect(await act()).toMatchObject({ kind: "refused", reason: "NOT_MIGRATABLE" });
  front.migrate = () => Promise.resolve({ kind: "same" });
  expect(await act()).toEqual({ kind: "done" });
  const { front: other, act: actOther } = openAct(Kind.MIGRATE, { toVersion: 7 });
  other.run = {};
  expect(await actOther()).toMatchObject({ kind: "refused", reason: "WORKFLOW_NOT_FOUND" });
});

test("the versions that are active when it begins are kept with an action: a deploy in the midst of it changes nothing", async () => {
  const bulks = fakeBulks();
  const begun = await startBulk(
    { filter: "version > 0", action: action(Kind.MIGRATE), rate: 0 },
    { metadata: new Metadata(), actor: "" },
    { ...options, bulks },
    1_000,
  );
  const [kept] = await bulks.list();
  const { workflow } = makeRow(1, {});
  expect(begun).toMatchObject({ answer: { bulk: { action: { toVersion: 0 }, toVersions: { [workflow]: 2 } } } });
  const named = await startBulk(
    { filter: "version > 0", action: action(Kind.MIGRATE, { toVersion: 1 }), rate: 0 },
    { metadata: new Metadata(), actor: "" },
    { ...options, bulks },
    1_000,
  );
  expect(named).toMatchObject({ answer: { bulk: { toVersions: {} } } });
  // Version 3 is deployed meanwhile.
  const later = {
    get: (name: string) => {
      const entry = definitions.get(name);
      const next = DefinitionVersion.fromPartial({ number: 3, planHash: Uint8Array.of(3) });
      return { ...entry, activeVersion: 3, version: [...entry.version, next] };
    },
  };
  const { front, act } = openAct(Kind.MIGRATE, { target: kept?.target ?? [] }, later);
  const asked: number[] = [];
  front.migrate = (_, { version }) => {
    asked.push(version);
    return Promise.resolve({ kind: "done", at: "a" });
  };
  for (const of of [workflow, "other.v1.Unknown/Then"]) {
    front.run = { workflow: of };
    expect(await act()).toEqual({ kind: "done" });
  }
  expect(asked).toEqual([2, 3]);
});

test("a run of many goes on once in a new run, and refuses when it goes on itself or came no further", async () => {
  const { front, act } = openAct(Kind.RERUN, { name: "pay" });
  front.rerunPlace = () => Promise.resolve({ kind: "live" });
  expect(await act()).toMatchObject({ kind: "refused", reason: "NOT_ENDED" });
  front.rerunPlace = () => Promise.resolve({ kind: "refused", reason: "CANNOT_RERUN", message: "m" });
  expect(await act()).toMatchObject({ kind: "refused", reason: "CANNOT_RERUN" });
  expect(front.requests).toEqual([]);
  front.rerunPlace = () => Promise.resolve({ kind: "place", index: 0 });
  front.run = { rerunAsRunId: someRun };
  expect(await act()).toEqual({ kind: "done" });
  expect(front.requests).toEqual([{ kind: "rerun", event: { step: "pay", reason: "r", actor: "bob", requestId } }]);
  front.fateOf = taken;
  expect(await act(true)).toEqual({ kind: "done" });
  expect(front.requests).toHaveLength(1);
});
