import { assert, constantFrom, lorem, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { AttemptId_Phase, Event, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { OwnerRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { engineRevision } from "../engine/revision.ts";
import { toCredentials } from "./credentials.ts";
import { toFact } from "./fact.ts";

const names = toNames();
const credentials = toCredentials([Buffer.alloc(32, 1)]);
const runId = "0123456789abcdef".repeat(2);
const subjects = [
  names.eventSubject(3, runId),
  names.outcomeSubject(3, runId),
  names.ownerSubject(3),
  "sidestep.log.3.x.e",
  "sidestep.log.3.y",
];

function factOf(subject: string, data: Uint8Array) {
  return toFact({ sequence: 5, storedMs: 7, subject, data }, credentials);
}

test("whatever stands on a subject of a log is read or set aside, and never throws", () => {
  assert(
    property(constantFrom(...subjects), uint8Array({ maxLength: 200 }), (subject, data) => {
      const fact = factOf(subject, data);
      expect(["record", "owner", "garbage", "newer"]).toContain(fact.kind);
      // Only orchestrators write events: nothing else can park a partition.
      expect(fact.kind === "newer" && subject !== names.eventSubject(3, runId)).toBe(false);
    }),
  );
});

test("text on a run's subject is garbage and not an event of a newer kind", () => {
  assert(
    property(lorem({ maxCount: 8 }), (text) => {
      expect(factOf(names.eventSubject(3, runId), Buffer.from(text)).kind).toBe("garbage");
    }),
  );
});

test("an event that is one field of a number nobody knows yet needs a newer version", () => {
  // Field 29, the next kind, with three bytes; then field 500.
  expect(factOf(names.eventSubject(3, runId), new Uint8Array([0xea, 0x01, 0x03, 0x08, 0x01, 0x10]))).toEqual({
    kind: "newer",
    needs: "event kind 29",
  });
  expect(factOf(names.eventSubject(3, runId), new Uint8Array([0xa2, 0x1f, 0x00]))).toEqual({
    kind: "newer",
    needs: "event kind 500",
  });
});

test("a start that pins a later revision of the engine needs a newer version", () => {
  const toStart = (revision: number): Uint8Array =>
    Event.encode({
      kind: { $case: "runStarted", value: { ...RunStarted.decode(new Uint8Array()), engineRevision: revision } },
    }).finish();
  expect(factOf(names.eventSubject(3, runId), toStart(engineRevision)).kind).toBe("record");
  expect(factOf(names.eventSubject(3, runId), toStart(engineRevision + 1)).kind).toBe("newer");
});

test("an outcome is authentic by the token of its attempt and of its run", () => {
  const attempt = { step: "a", generation: 1, phase: AttemptId_Phase.FORWARD, attempt: 2 };
  const token = credentials.token(attemptKey(runId, attempt));
  const data = Outcome.encode({
    ...Outcome.decode(new Uint8Array()),
    attempt,
    token,
    kind: { $case: "completed", value: new Uint8Array() },
  }).finish();
  const authentic = (ofRun: string): unknown => {
    const fact = factOf(names.outcomeSubject(3, ofRun), data);
    return fact.kind === "record" && fact.record.fact.kind === "outcome" ? fact.record.fact.authentic : fact.kind;
  };
  expect(authentic(runId)).toBe(true);
  expect(authentic("f".repeat(32))).toBe(false);
});

test("an owner's record is told with its epoch", () => {
  const data = OwnerRecord.encode({ owner: "one", epoch: 9 }).finish();
  expect(factOf(names.ownerSubject(3), data)).toEqual({ kind: "owner", owner: "one", epoch: 9 });
});
