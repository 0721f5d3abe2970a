import { array, assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import type { Event, LockHolder } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { advanceLock, encodeLock, newLock, resumeLock } from "./lock.ts";
import type { LockState } from "./lock.ts";
import type { LogRecord } from "./record.ts";

const lock = "stock 7";

function holder(number: number, generation = 0): LockHolder {
  return { runId: new Uint8Array(16).fill(number), step: { step: "take", generation } };
}

/** A lock that is told what happens, and the numbers of the runs to which it is granted. */
function openLock() {
  const state: LockState = newLock();
  let sequence = 0;
  const tell = (kind: NonNullable<Event["kind"]>): readonly (number | undefined)[] => {
    const record = { sequence: ++sequence, storedMs: 0, fact: { kind: "event", event: { kind } } } as const;
    return advanceLock(state, record).commands.map((command) =>
      command.kind === "grantLock" ? command.holder.runId[0] : undefined,
    );
  };
  return {
    state,
    request: (number: number, generation?: number) =>
      tell({ $case: "lockRequested", value: { lock, holder: holder(number, generation) } }),
    release: (number: number, generation?: number) =>
      tell({ $case: "lockReleased", value: { lock, holder: holder(number, generation) } }),
    tell,
  };
}

test("a lock goes from one to the next in the order in which they asked", () => {
  const { request, release } = openLock();
  expect([request(1), request(2), request(3)]).toEqual([[1], [], []]);
  expect([release(1), release(2), release(3)]).toEqual([[2], [3], []]);
  expect(request(2)).toEqual([2]);
});

test("a request that is taken back is passed over, and each generation of a step asks for itself", () => {
  const { request, release } = openLock();
  request(1);
  request(2);
  request(3);
  request(3, 1);
  expect(release(2)).toEqual([]);
  expect(release(1)).toEqual([3]);
  expect(release(3)).toEqual([3]);
});

test("doubles change nothing; whoever has it and asks again is told again", () => {
  const { request, release } = openLock();
  request(1);
  request(2);
  expect([request(2), request(1)]).toEqual([[], [1]]);
  expect([release(1), release(1)]).toEqual([[2], []]);
});

test("what is no request and no release is ignored, and nothing is folded twice", () => {
  const { state, request, tell } = openLock();
  request(1);
  expect(tell({ $case: "timerFired", value: { number: 1, dueMs: 0 } })).toEqual([]);
  const again = { sequence: 1, storedMs: 0, fact: { kind: "event", event: { kind: undefined } } } as const;
  expect(advanceLock(state, again)).toMatchObject({ ignored: true, commands: [] });
});

test("a lock whose history is cut in part is what its last Snapshot says", () => {
  const { state, records, request, release, sumUp, restart } = openLockLog();
  for (const number of [1, 2, 3]) request(number);
  release(1);
  sumUp();
  request(4);
  for (let gone = 0; gone <= 4; gone++) {
    restart(gone);
    expect([...state().queue.values()].map(({ runId }) => runId[0])).toEqual([2, 3, 4]);
    expect(state().grant?.holder.runId[0]).toBe(2);
  }
  expect(records()).toHaveLength(6);
});

test("whatever is doubled, late or overtaken, a lock has one holder at a time, in the order of the requests, and nobody in the end", () => {
  assert(
    property(array(integer({ min: 0, max: 0xffff }), { maxLength: 120 }), (choices) => {
      const world = openWorld(5);
      for (const choice of choices) world.step(choice);
      world.settle();
      expect(world.held()).toEqual(world.asked());
      expect(world.state().queue.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});

/** The log of a lock, that is summed up, cut and read again. */
function openLockLog() {
  let records: LogRecord[] = [];
  let state = newLock();
  let sequence = 0;
  const tell = (kind: NonNullable<Event["kind"]>): readonly (number | undefined)[] => {
    const record: LogRecord = { sequence: ++sequence, storedMs: 0, fact: { kind: "event", event: { kind } } };
    records.push(record);
    return advanceLock(state, record).commands.map((command) =>
      command.kind === "grantLock" ? command.holder.runId[0] : undefined,
    );
  };
  return {
    state: () => state,
    records: () => records,
    request: (number: number) => tell({ $case: "lockRequested", value: { lock, holder: holder(number) } }),
    release: (number: number) => tell({ $case: "lockReleased", value: { lock, holder: holder(number) } }),
    sumUp: () =>
      tell({
        $case: "snapshot",
        value: { sequence: state.lastSequence, started: undefined, state: encodeLock(state) },
      }),
    /** Another owner reads the log, of which what may be cut is gone up to a position. */
    restart: (gone: number) => {
      const summedUp = records.reduce(
        (most, { fact }) =>
          fact.kind === "event" && fact.event.kind?.$case === "snapshot" ? fact.event.kind.value.sequence : most,
        0,
      );
      const left = records.filter((record) => record.sequence > Math.min(gone, summedUp));
      const resumed = resumeLock(left);
      state = resumed.state;
      for (const record of resumed.records) advanceLock(state, record);
    },
  };
}

interface Message {
  readonly kind: "request" | "release" | "grant";
  readonly of: number;
  readonly isDouble: boolean;
}

/** Steps of runs that want a lock, and what is on its way between them and its log. A release is written behind the request, as `chain` does it. */
function openWorld(count: number) {
  const log = openLockLog();
  const standing = new Map<number, "waiting" | "holding" | "over">();
  const underWay: Message[] = [];
  const requests = new Set<number>();
  const order: number[] = [];
  const given: number[] = [];
  const gaveUp = new Set<number>();
  const send = (kind: Message["kind"], of: number): void => void underWay.push({ kind, of, isDouble: false });
  const isFree = ({ kind, of, isDouble }: Message): boolean => kind !== "release" || isDouble || requests.has(of);

  const deliver = (message: Message, isDoubled: boolean): void => {
    const { kind, of } = message;
    underWay.splice(underWay.indexOf(message), 1);
    if (isDoubled && !message.isDouble) underWay.push({ ...message, isDouble: true });
    if (kind === "grant") {
      if (standing.get(of) === "waiting") hold(of);
      else if (standing.get(of) === "over") send("release", of);
      return;
    }
    if (kind === "request" && !order.includes(of)) order.push(of);
    if (kind === "request" && !message.isDouble) requests.add(of);
    for (const next of log[kind](of)) if (next !== undefined) send("grant", next);
  };
  const hold = (of: number): void => {
    standing.set(of, "holding");
    given.push(of);
    expect([...standing.values()].filter((one) => one === "holding")).toHaveLength(1);
  };
  const leave = (of: number): void => {
    if (standing.get(of) === "waiting") gaveUp.add(of);
    standing.set(of, "over");
    send("release", of);
  };
  const ask = (): void => {
    const of = standing.size + 1;
    standing.set(of, "waiting");
    send("request", of);
  };

  const choicesNow = (isDoubled: boolean): readonly (() => void)[] => [
    ...underWay.filter(isFree).map((message) => () => deliver(message, isDoubled)),
    ...(standing.size < count ? [ask] : []),
    ...[...standing]
      .filter(([, one]) => one === "holding")
      .map(
        ([of]) =>
          () =>
            leave(of),
      ),
  ];
  return {
    state: log.state,
    step: (choice: number) => {
      const now = choicesNow(choice % 3 === 0);
      const rare = choice >> 8;
      const [waiting] = [...standing].find(([, one]) => one === "waiting") ?? [];
      if (rare % 16 === 0) log.sumUp();
      else if (rare % 16 === 1) log.restart(choice % 64);
      else if (rare % 16 === 2 && waiting !== undefined) leave(waiting);
      else now[choice % now.length]?.();
    },
    settle: () => {
      for (let now = choicesNow(false); now.length > 0; now = choicesNow(false)) now[0]?.();
    },
    held: () => given,
    asked: () => order.filter((of) => !gaveUp.has(of)),
  };
}
