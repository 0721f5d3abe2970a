import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { toLeases } from "../nats/leases.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { engineRevision } from "../engine/revision.ts";

const twoCalls = makePlan([makeCall("a"), makeCall("b")]);
const within = (): AbortSignal => AbortSignal.timeout(20_000);
const stranger = "f".repeat(32) as RunId;

test("garbage on every subject of a log is set aside and counted, and its partition goes on", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, twoCalls);
  await using sidecar = await openFakeSidecar(server.url, () => "drop");
  using publisher = openPublisher(orchestrator.nats.connection);
  const runId = await orchestrator.begin(twoCalls);
  await sidecar.called(1);
  const garbage = [
    ["sidestep.log.0.nonsense", "hello"],
    ["sidestep.log.0.nonsense.e", "hello"],
    [names.eventSubject(0, runId), "hello world"],
    [names.eventSubject(0, runId), ""],
    [names.eventSubject(0, stranger), "hello"],
    [names.outSubject(service, 0, runId), "garbage"],
    [names.outSubject(service, 0, "nonsense"), "garbage"],
  ] as const;
  for (const [subject, text] of garbage) {
    expect(await publisher.publish(subject, Buffer.from(text))).toMatchObject({ kind: "stored" });
  }
  await expect.poll(() => orchestrator.processor.counts.garbage).toBe(garbage.length);
  const { front } = orchestrator.processor;
  const terminate = { reason: "", actor: "", requestId: "" };
  expect(await front.request(runId, { kind: "terminate", event: terminate }, within())).toEqual({
    kind: "done",
    ignored: false,
    refusal: "",
  });
  expect(await front.wait(runId, within())).toMatchObject({ kind: "ended" });
});

test("events of a run without a start are counted, and the start is taken when it comes", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, twoCalls);
  using publisher = openPublisher(orchestrator.nats.connection);
  const event = Event.encode({ kind: { $case: "timerFired", value: { number: 1, dueMs: 0 } } }).finish();
  await publisher.publish(names.eventSubject(0, stranger), event);
  await expect.poll(() => orchestrator.processor.counts.orphans).toBe(1);
});

test("an outcome without the attempt's token changes nothing", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, twoCalls);
  let forged = false;
  await using sidecar = await openFakeSidecar(server.url, async (task) => {
    if (task.attempt?.step === "a" && !forged) {
      forged = true;
      using publisher = openPublisher(orchestrator.nats.connection);
      const outcome = Outcome.encode({
        ...Outcome.decode(new Uint8Array()),
        attempt: task.attempt,
        token: new Uint8Array(32),
        kind: { $case: "failed", value: { code: 3, message: "forged", details: new Uint8Array(), origin: 0 } },
        delivery: 1,
      }).finish();
      await publisher.publish(names.outSubject(service, 0, toHex(task.runId)), outcome);
    }
    return "complete" as const;
  });
  const runId = await orchestrator.begin(twoCalls);
  expect(await orchestrator.processor.front.wait(runId, within())).toMatchObject({
    kind: "ended",
    ended: { step: "" },
  });
  expect(sidecar.calls).toHaveLength(2);
});

test("an event of a kind that only a newer version knows parks the partition, and others go on", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, twoCalls, { partitions: 2 });
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 5000 }).toEqual([0, 1]);
  using publisher = openPublisher(orchestrator.nats.connection);
  // Field 200, two bytes long.
  await publisher.publish(names.eventSubject(0, stranger), new Uint8Array([0xc2, 0x0c, 0x02, 0x08, 0x01]));
  await expect.poll(() => orchestrator.processor.owned()).toEqual([1]);
  // It is free for an orchestrator that understands it.
  const lease = await toLeases(orchestrator.nats, names, publisher).read(0);
  expect(lease?.lease).toMatchObject({ owner: "", checkpoint: 1 });
});

/** A run that an orchestrator of a later version has begun. */
async function beginNewer({ ports }: Orchestrator): Promise<number> {
  const value = { ...RunStarted.decode(new Uint8Array()), engineRevision: engineRevision + 1 };
  const start = Event.encode({ kind: { $case: "runStarted", value } }).finish();
  const written = await ports.logOf(0).appendFirst(stranger, start, { signal: within() });
  assert(written.kind === "stored");
  return written.sequence;
}

const leaseOf = async ({ ports }: Orchestrator) => {
  const found = await ports.leases.read(0);
  assert(found !== undefined);
  return found;
};

test("who meets an event of a newer version while taking over gives the partition up at once, for others to take", async () => {
  await using server = await startNats();
  await using door = await openOrchestrator(server.url, twoCalls, { over: { ownsPartitions: false } });
  const at = await beginNewer(door);
  await using orchestrator = await openOrchestrator(server.url, twoCalls);
  // Others see it as that of one who died: what was asked for before may not have been carried out.
  await expect.poll(async () => (await leaseOf(door)).lease.owner, { timeout: 10_000 }).toBe("-");
  expect((await leaseOf(door)).lease.checkpoint).toBeLessThan(at);
  await expect.poll(() => orchestrator.processor.owned()).toEqual([]);
});

test("who loads a run of a newer version leaves the partition, and the checkpoint does not pass what is to be done for it", async () => {
  await using server = await startNats();
  await using door = await openOrchestrator(server.url, twoCalls, { over: { ownsPartitions: false } });
  const at = await beginNewer(door);
  // A newer one had the partition and has carried out all up to there.
  const lease = { ...Lease.decode(new Uint8Array()), epoch: 1, checkpoint: at, olderCheckpoint: at };
  expect(await door.ports.leases.write(0, lease, 0)).toMatchObject({ kind: "held" });
  await using orchestrator = await openOrchestrator(server.url, twoCalls);
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 10_000 }).toEqual([0]);
  const value = { reason: "", actor: "", requestId: "r" };
  const event = Event.encode({ kind: { $case: "cancelRequested", value } }).finish();
  const written = await door.ports.logOf(0).append(stranger, "r", event, { signal: within() });
  assert(written.kind === "stored");
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 20_000 }).toEqual([]);
  const left = await leaseOf(door);
  expect(left.lease.owner).toBe("-");
  expect(left.lease.checkpoint).toBeLessThan(written.sequence);
}, 60_000);

test("a run whose own fold fails is left alone; others go on", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, twoCalls, {
    over: { plans: { load: (hash) => Promise.resolve(hash.some((byte) => byte !== 0) ? twoCalls : undefined) } },
  });
  await using sidecar = await openFakeSidecar(server.url);
  const { front } = orchestrator.processor;
  const started = await front.start(
    {
      active: { workflow: "test.v1.Flows/Flow", version: 1, plan: twoCalls, planHash: new Uint8Array(32) },
      request: new Uint8Array(),
      metadata: new Map(),
      idempotencyKey: undefined,
      trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
      actor: "",
    },
    within(),
  );
  expect(started.kind).toBe("started");
  await expect.poll(() => orchestrator.processor.counts.corruptRuns).toBe(1);
  const runId = await orchestrator.begin(twoCalls);
  expect(await front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(sidecar.calls).toHaveLength(2);
});

test("a bug in the work on a partition leaves it, and it is taken again", async () => {
  await using server = await startNats();
  let isBroken = true;
  await using orchestrator = await openOrchestrator(server.url, twoCalls, {
    over: {
      observer: {
        opened: () => undefined,
        turn: () => {
          if (!isBroken) return;
          isBroken = false;
          throw new Error("a bug");
        },
        closed: () => undefined,
        tracedUpTo: (_partition, checkpoint) => checkpoint,
      },
    },
  });
  await using sidecar = await openFakeSidecar(server.url);
  const runId = await orchestrator.begin(twoCalls);
  expect(await orchestrator.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(orchestrator.processor.counts.takeovers).toBe(2);
  expect(sidecar.calls).toHaveLength(2);
});
