import { expect, test } from "vitest";
import type { Limit } from "./core/limit.ts";
import type { Ending } from "./core/ending.ts";
import { LimitedLane } from "./limitedLane.ts";
import type { TurnsTaken } from "./nats/turns.ts";
import type { Call, CallRequest, Delivery, Service } from "./ports.ts";

const unbound: Limit = {
  method: "shop.v1.Stock/Reserve",
  concurrency: 0,
  concurrencyPerSidecar: 0,
  rate: undefined,
  sinceMs: 1,
  isLifted: false,
};
const request: CallRequest = {
  service: "shop.v1.Stock",
  method: unbound.method,
  body: new Uint8Array(),
  headers: [],
  timeoutMs: 1,
  stream: undefined,
};

/** A lane among fakes: a pause moves the clock, turns are those that a test has laid out. */
function makeGround(limit: Partial<Limit>, free = 10) {
  const ground = {
    now: 1_000,
    free,
    turns: [] as TurnsTaken[],
    run: [] as { delivery: Delivery; service: Service; atMs: number }[],
    calls: [] as number[],
    said: [] as string[],
  };
  const lane = new LimitedLane({
    limit: { ...unbound, ...limit },
    free: () => ground.free,
    run: (delivery, service) => ground.run.push({ delivery, service, atMs: ground.now }),
    take: () => Promise.resolve(ground.turns.shift() ?? { kind: "away" }),
    now: () => ground.now,
    pause: async (ms) => void (ground.now += ms),
  });
  const service: Service = {
    offered: { service: "shop.v1.Stock", methods: undefined },
    invoke: (): Call => {
      ground.calls.push(ground.now);
      return { ending: Promise.resolve({ kind: "answered" } as Ending), reset: () => undefined };
    },
  };
  const deliver = (number: number): void =>
    lane.accept(
      {
        body: new Uint8Array(),
        delivery: 1,
        streamSequence: number,
        storedAtMs: 0,
        receivedAtMs: 0,
        age: "unknown",
        isFirst: true,
        ack: () => ground.said.push(`${number} ack`),
        nak: (ms) => ground.said.push(`${number} nak ${ms}`),
        extend: () => ground.said.push(`${number} extend`),
        discard: () => undefined,
      },
      service,
    );
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return Object.assign(ground, { lane, deliver, settle });
}

const rate = { calls: 10, perMs: 1_000 };
const turns = (...at: readonly number[]): TurnsTaken => ({ kind: "turns", turns: at });

test("no more tasks of it run here than one sidecar may, and the next begins when one is settled", async () => {
  const ground = makeGround({ concurrencyPerSidecar: 2 });
  for (const number of [1, 2, 3]) ground.deliver(number);
  expect([ground.run.length, ground.lane.room()]).toEqual([2, 0]);
  ground.run[0]?.delivery.ack();
  await ground.settle();
  expect([ground.run.length, ground.said]).toEqual([3, ["1 ack"]]);
});

test("each call begins at its turn, and what waits for one is extended and takes no slot", async () => {
  const ground = makeGround({ rate });
  ground.turns.push({ kind: "wait", ms: 300 }, turns(1_500, 1_600));
  ground.deliver(1);
  ground.deliver(2);
  ground.lane.extend(5_000);
  expect([ground.run.length, ground.said]).toEqual([0, ["1 extend", "2 extend"]]);
  await ground.settle();
  expect(ground.run.map(({ atMs }) => atMs)).toEqual([1_500, 1_600]);
});

test("a turn that was missed is had anew, before the call begins and at the call itself", async () => {
  const ground = makeGround({ rate });
  // The first is over when it comes.
  ground.turns.push(turns(900), turns(1_200), turns(1_400));
  ground.deliver(1);
  await ground.settle();
  expect(ground.run.map(({ atMs }) => atMs)).toEqual([1_200]);
  // The owner was asked meanwhile.
  ground.now = 1_300;
  const ending = await ground.run[0]?.service.invoke(request).ending;
  expect([ending?.kind, ground.calls]).toEqual(["answered", [1_400]]);
});

test("without turns to be had tasks go back for a second, and none is pulled meanwhile", async () => {
  const ground = makeGround({ rate });
  ground.deliver(1);
  await ground.settle();
  expect([ground.said, ground.run.length, ground.lane.room()]).toEqual([["1 nak 1000"], 0, 0]);
});

test("a call that waits for its turn can be reset, and nothing is sent", async () => {
  const ground = makeGround({ rate });
  ground.turns.push(turns(1_000), turns(1_200));
  ground.deliver(1);
  await ground.settle();
  ground.now = 1_100;
  const call = ground.run[0]?.service.invoke(request);
  call?.reset();
  expect(await call?.ending).toMatchObject({ kind: "failed", code: 1, sent: false });
  expect(ground.calls).toEqual([]);
});

test("a limit that is lifted lets go what waits; a lane that ends gives it back", async () => {
  const ground = makeGround({ concurrencyPerSidecar: 1 });
  for (const number of [1, 2, 3]) ground.deliver(number);
  ground.lane.change({ ...unbound, isLifted: true, sinceMs: 2 });
  expect(ground.run.length).toBe(3);
  ground.free = 0;
  ground.deliver(4);
  ground.lane.close();
  ground.deliver(5);
  expect(ground.said).toEqual(["4 nak 0", "5 nak 0"]);
});
