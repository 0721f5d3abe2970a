import { assert, constantFrom, integer, oneof, property, tuple, uint8Array } from "fast-check";
import type { Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import { AttemptId_Phase, Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";

import {
  DefinitionIndex,
  Holds,
  KeyRecord,
  Layouts,
  Lease,
  OwnerRecord,
} from "../../../proto/gen/sidestep/internal/v1/record.ts";
import {
  Ask,
  AskReply,
  CatalogEntry,
  Task,
  WaitReply,
  WaitRequest,
} from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { advanceLock, encodeLock, newLock, resumeLock } from "../engine/lock.ts";
import type { LockState } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { misfitOf, canonicalRequest } from "../engine/request.ts";
import { makePlan } from "../engine/testing/plan.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { deleteLock } from "./deletion.ts";
import type { DeletionGround } from "./deletion.ts";
import type { Ownership } from "./ownership.ts";
import { toResidentRun } from "./residentRun.ts";
import { beginLock } from "./residents.ts";

/** Bytes of any kind, and those of `whole` with one flipped, a part cut away or something put in. */
function spoilt(whole: Uint8Array): Arbitrary<Uint8Array> {
  const place = integer({ min: 0, max: whole.length });
  const changed = tuple(constantFrom("flip", "cut", "insert"), place, place, uint8Array({ maxLength: 12 })).map(
    ([how, from, to, more]) => {
      const before = whole.subarray(0, from);
      switch (how) {
        case "flip":
          return Buffer.concat([
            before,
            whole.subarray(from, from + 1).map((byte) => byte ^ (1 << (to % 8))),
            whole.subarray(from + 1),
          ]);
        case "cut":
          return Buffer.concat([before, whole.subarray(Math.max(from, to))]);
        case "insert":
          return Buffer.concat([before, more, whole.subarray(from)]);
      }
    },
  );
  return oneof(uint8Array({ maxLength: 200 }), changed);
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

const id = new Uint8Array(16).fill(7);
const attempt = { step: "pay", generation: 1, phase: AttemptId_Phase.FORWARD, attempt: 2 };
const token = new Uint8Array(32).fill(9);
const empty = new Uint8Array();

/** Read, a message can be written and read again as the same: nothing in it is of a form that the rest does not take. */
function row<T>(name: string, codec: Codec<T>, message: T) {
  return {
    name,
    whole: codec.encode(message).finish(),
    again: (bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => {
      const once = codec.encode(codec.decode(bytes)).finish();
      return [once, codec.encode(codec.decode(once)).finish()];
    },
  };
}

const rows = [
  row("a lease", Lease, {
    ...Lease.decode(empty),
    owner: "one",
    epoch: 4,
    checkpoint: 900,
    olderCheckpoint: 800,
    streamCreated: "2026",
  }),
  row("an owner's record", OwnerRecord, { owner: "one", epoch: 4 }),
  row("a key's record", KeyRecord, { runId: id, workflow: "shop.v1.Orders/Place", requestHash: token }),
  row("the holds", Holds, {
    hold: [{ ...Holds.decode(new Uint8Array([10, 0])).hold[0], target: { $case: "workflow", value: "a.B/C" } }],
  } as Holds),
  row("the layouts", Layouts, { layout: [{ generation: 0, partitions: 12 }] }),
  row("the index of definitions", DefinitionIndex, DefinitionIndex.decode(new Uint8Array([10, 0]))),
  row("an entry of the catalog", CatalogEntry, {
    ...CatalogEntry.decode(empty),
    services: ["a.B", "c.D"],
    serving: true,
  }),
  row("a task", Task, { ...Task.decode(empty), runId: id, attempt, token, method: "a.B/C", request: id }),
  row("an ask", Ask, { ...Ask.decode(empty), runId: id, attempt, token, sidecarId: "s", delivery: 3 }),
  row("the answer to an ask", AskReply, { verdict: 1 }),
  row("a wait", WaitRequest, { ...WaitRequest.decode(empty), runId: id, notify: "_INBOX.abc", foldedSequence: 12 }),
  row("the answer to a wait", WaitReply, {
    runId: id,
    kind: { $case: "folded", value: { ignored: true, refusal: "no" } },
  }),
];

/** What was read; undefined: it was refused, as callers expect. A TypeError is a mistake of ours. */
function readOrRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && !(error instanceof TypeError)) return undefined;
    throw error;
  }
}

describe("bytes that somebody else wrote", () => {
  test.each(rows)("are read as $name whole, or refused by an error", ({ whole, again }) => {
    assert(
      property(spoilt(whole), (bytes) => {
        const [once, twice] = readOrRefused(() => again(bytes)) ?? [whole, whole];
        expect(Buffer.compare(once, twice)).toBe(0);
      }),
    );
  });

  test("are a lock that goes on, or refused by an error", () => {
    assert(
      property(spoilt(encodeLock(wantedLock())), (bytes) => {
        const state = readOrRefused(() => resumeLock([lockSnapshot(bytes)]).state) ?? newLock();
        advanceLock(state, eventOf(3, { $case: "lockReleased", value: wanted }));
        advanceLock(state, eventOf(4, { $case: "lockRequested", value: wanted }));
        expect(state.queue.size).toBeGreaterThan(0);
        expect(state.grant).toBeDefined();
      }),
    );
  });

  test("park a lock whose snapshot they are, and its partition goes on", () => {
    const run = toResidentRun("0".repeat(32) as RunId, 0);
    const errors: string[] = [];
    const owner = { counts: { corruptRuns: 0 }, logger: { error: (text: string) => void errors.push(text) } };
    expect(beginLock(owner as object as Ownership, run, [lockSnapshot(new Uint8Array([10, 200]))])).toEqual([]);
    expect(run.phase).toBe("corrupt");
    expect(owner.counts.corruptRuns).toBe(1);
    expect(errors).toHaveLength(1);
  });

  test("keep the log of a lock whose snapshot they are, and what else is due is deleted", async () => {
    const snapshot: Event["kind"] = {
      $case: "snapshot",
      value: { sequence: 2, started: undefined, state: new Uint8Array([10, 200]) },
    };
    const message = {
      sequence: 3,
      storedMs: 0,
      subject: `sidestep.log.0.${"0".repeat(32)}.e`,
      data: Event.encode({ kind: snapshot }).finish(),
    };
    const log = { positions: () => Promise.resolve({ event: 3 }), load: () => Promise.resolve([message]) };
    expect(await deleteLock({ log } as object as DeletionGround, "0".repeat(32) as RunId, 3)).toBe(false);
  });

  test("are the request of a workflow, the value of a signal or an approval, or said to be none", () => {
    const plan = makePlan({ steps: [{ id: "w", action: { kind: "wait", forMs: 5 } }] });
    const types = constantFrom(plan.plan.requestType, "google.protobuf.Any", "list(string)", "int");
    assert(
      property(uint8Array({ maxLength: 200 }), types, (bytes, type) => {
        expect(["ok", "failed"]).toContain(canonicalRequest(plan, bytes).kind);
        expect(["undefined", "string"]).toContain(typeof misfitOf(plan, type, bytes));
      }),
    );
  });
});

const wanted = { lock: "stock 7", holder: { runId: id, step: { step: "long", generation: 0 } } };

function eventOf(sequence: number, kind: NonNullable<Event["kind"]>): LogRecord {
  return { sequence, storedMs: 0, fact: { kind: "event", event: { kind } } };
}

function wantedLock(): LockState {
  const state = newLock();
  advanceLock(state, eventOf(1, { $case: "lockRequested", value: wanted }));
  return state;
}

function lockSnapshot(state: Uint8Array): LogRecord {
  return eventOf(2, { $case: "snapshot", value: { sequence: 1, started: undefined, state } });
}
