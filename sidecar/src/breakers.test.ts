import { expect, test } from "vitest";
import { Breakers } from "./breakers.ts";
import type { Ending } from "./core/ending.ts";
import type { Delivery, Service } from "./ports.ts";

const pay = "shop.v1.Stock/Pay";
const list = "shop.v1.Stock/List";

/** Breakers over a service that answers as told; time stands still unless moved. */
function makeGround() {
  const ground = { now: 100_000, code: 0, changes: [] as string[], said: [] as string[] };
  const breakers = new Breakers({
    percent: 50,
    callsMin: 2,
    pauseMaxMs: 15_000,
    now: () => ground.now,
    chance: () => 1,
    onChange: (method, isOpen) => ground.changes.push(`${method} ${isOpen ? "open" : "closed"}`),
  });
  const end = (): Ending => {
    const told = { peer: "", startedAtMs: 0, endedAtMs: 0 };
    if (ground.code === 0) return { ...told, kind: "answered", response: new Uint8Array() };
    const { code } = ground;
    const rest = {
      message: "",
      details: new Uint8Array(),
      pushback: undefined,
      origin: "service",
      sent: true,
    } as const;
    return { ...told, kind: "failed", code, ...rest };
  };
  const service: Service = breakers.watched({
    offered: { service: "shop.v1.Stock", methods: undefined },
    invoke: () => ({ ending: Promise.resolve(end()), reset: () => undefined }),
  });
  const call = async (method: string, code = 0): Promise<void> => {
    ground.code = code;
    const request = {
      service: "shop.v1.Stock",
      method,
      body: new Uint8Array(),
      headers: [],
      timeoutMs: 1,
      stream: undefined,
    };
    await service.invoke(request).ending;
    await Promise.resolve();
  };
  const admitted = (method: string): Delivery | undefined =>
    breakers.admitted(method, {
      body: new Uint8Array(),
      delivery: 1,
      streamSequence: 1,
      storedAtMs: 0,
      receivedAtMs: 0,
      age: "unknown",
      isFirst: true,
      ack: () => ground.said.push("ack"),
      nak: (ms) => ground.said.push(`nak ${ms}`),
      extend: () => undefined,
      discard: () => undefined,
    });
  return Object.assign(ground, { breakers, call, admitted });
}

test("while a method fails its tasks go back and nothing is pulled; others of the service that answer go on", async () => {
  const ground = makeGround();
  const { breakers } = ground;
  expect(breakers.room("shop.v1.Stock")).toBe(Infinity);
  await ground.call(pay, 14);
  await ground.call(pay, 14);
  expect([ground.changes, breakers.open()]).toEqual([[`${pay} open`], [pay]]);
  expect(ground.admitted(pay)).toBeUndefined();
  expect(ground.said).toEqual(["nak 2500"]);
  expect(breakers.room("shop.v1.Stock")).toBe(0);
  expect(breakers.room("shop.v1.Stock", pay)).toBe(0);
  expect(breakers.room("shop.v1.Other")).toBe(Infinity);
  // A task of another method that comes all the same tells that the service is there.
  expect(ground.admitted(list)).toBeDefined();
  await ground.call(list);
  expect(breakers.room("shop.v1.Stock")).toBe(Infinity);
  expect(breakers.room("shop.v1.Stock", pay)).toBe(0);
  expect(ground.admitted(pay)).toBeUndefined();
});

test("once its pause is over one task is pulled for a probe, and an answer to it lets all go on", async () => {
  const ground = makeGround();
  const { breakers } = ground;
  await ground.call(pay, 14);
  await ground.call(pay, 14);
  ground.now += 1_000;
  expect([breakers.room("shop.v1.Stock"), breakers.room("shop.v1.Stock")]).toEqual([1, 0]);
  expect(ground.admitted(pay)).toBeDefined();
  expect(ground.admitted(pay)).toBeUndefined();
  await ground.call(pay);
  expect([ground.changes.at(-1), breakers.open()]).toEqual([`${pay} closed`, []]);
  expect(breakers.room("shop.v1.Stock")).toBe(Infinity);
});

test("a probe that is given back without a call does not keep the others waiting", async () => {
  const ground = makeGround();
  await ground.call(pay, 14);
  await ground.call(pay, 14);
  ground.now += 1_000;
  ground.admitted(pay)?.nak(7);
  expect(ground.admitted(pay)).toBeDefined();
  expect(ground.said).toEqual(["nak 7"]);
});

test("another process of the service begins anew", async () => {
  const ground = makeGround();
  await ground.call(pay, 14);
  await ground.call(pay, 14);
  ground.breakers.forget("shop.v1.Stock");
  expect(ground.breakers.open()).toEqual([]);
  expect(ground.admitted(pay)).toBeDefined();
});
