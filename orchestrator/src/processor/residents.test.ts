import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { LogRecord } from "../engine/record.ts";
import { eventAt, outcomeAt, testRunId } from "../engine/testing/records.ts";
import type { Ownership } from "./ownership.ts";
import type { AtHand, LogMessage } from "./ports.ts";
import { toResidentRun } from "./residentRun.ts";
import { Residents } from "./residents.ts";

const runId = parseRunId(testRunId);
const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const due = (sequence: number): LogRecord =>
  eventAt(sequence, 0, { $case: "timerFired", value: { number: 1, dueMs: 0 } });
const outcome = (sequence: number): LogRecord =>
  outcomeAt(sequence, 0, attempt, { $case: "completed", value: new Uint8Array() });

/** A partition in which nothing patient ever has its turn, with a run that only counts what it is given. `read`: what loads of runs asked for. */
function openResidents(): {
  readonly residents: Residents;
  readonly taken: number[];
  readonly held: Set<number>;
  readonly read: (AtHand | undefined)[];
} {
  const taken: number[] = [];
  const held = new Set<number>();
  const read: (AtHand | undefined)[] = [];
  const owner: Partial<Ownership> = {
    now: () => 0,
    signal: new AbortController().signal,
    portions: { add: () => undefined },
    roomAgain: () => undefined,
  };
  const load = (_runId: string, atHand?: AtHand): Promise<readonly LogMessage[]> => {
    read.push(atHand);
    return Promise.resolve([]);
  };
  Object.assign(owner, {
    log: { load },
    bounds: { loadsMax: 1 },
    counts: { orphans: 0, loads: 0 },
    unfinished: { hold: (at: number) => held.add(at), release: (at: number) => held.delete(at) },
  });
  const residents = new Residents(owner as Ownership, {
    position: () => 0,
    afterTurn: (run) => {
      taken.push(run.seen);
      for (const { resolve } of run.watchers ?? []) resolve();
    },
  });
  if (runId !== undefined) residents.adopt(Object.assign(toResidentRun(runId, 0), { phase: "orphan" }));
  return { residents, taken, held, read };
}

test("what is due waits for its turn, and what comes later for the run takes it along, in the order of the log", () => {
  const { residents, taken, held } = openResidents();
  if (runId === undefined) throw new Error("a run id was expected");
  residents.deliver(runId, due(5), 10);
  residents.deliver(runId, due(6), 10);
  expect([taken, [...held], residents.waitingBytes()]).toEqual([[], [5, 6], 20]);
  residents.deliver(runId, outcome(7), 10);
  expect([taken, [...held], residents.waitingBytes()]).toEqual([[5, 6, 7], [], 0]);
  residents.deliver(runId, outcome(8), 10);
  expect(taken).toEqual([5, 6, 7, 8]);
});

test("who asks for a run gets it with all that was due", async () => {
  const { residents, taken } = openResidents();
  if (runId === undefined) throw new Error("a run id was expected");
  residents.deliver(runId, due(5), 10);
  await residents.ensure(runId);
  expect(taken).toEqual([5]);
});

test("the events that wait for a run are not read again for it", async () => {
  const { residents, read } = openResidents();
  const [due1, due2, outcome1] = ["1", "2", "3"].map((digit) => parseRunId(digit.repeat(32)));
  if (due1 === undefined || due2 === undefined || outcome1 === undefined) throw new Error("run ids were expected");
  residents.deliver(due1, due(5), 10);
  residents.deliver(due2, due(6), 10);
  residents.deliver(due2, due(7), 10);
  residents.deliver(due2, outcome(8), 10);
  await residents.ensure(due2);
  residents.deliver(due1, outcome(9), 10);
  await residents.ensure(due1);
  residents.deliver(outcome1, outcome(10), 10);
  await residents.ensure(outcome1);
  expect(read).toEqual([{ from: 6, events: 2 }, { from: 5, events: 1 }, undefined]);
});
