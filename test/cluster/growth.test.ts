import { expect, test } from "vitest";
import type { PlacedOrder } from "../chaos/placedOrder.ts";
import { growthOf, undisturbedMs } from "./growth.ts";
import { parseElections } from "./leaders.ts";

function makeOrder(startedMs: number, endedMs: number): PlacedOrder {
  return { orderId: "o", runId: "r", isDeclined: false, startedMs, endedMs };
}

const fault = { kind: "kill", atMs: 10_000, outageMs: 5_000 };

test("an order grows by what it took longer than those that no fault met", () => {
  const orders = [makeOrder(0, 200), makeOrder(300, 600), makeOrder(9_900, 16_000), makeOrder(40_000, 40_300)];
  const usualMs = undisturbedMs(orders, [fault]);
  expect(usualMs).toBe(300);
  expect(growthOf(fault, orders, usualMs)).toEqual({
    fault,
    orders: 1,
    medianMs: 5_800,
    mostMs: 5_800,
    slowest: orders.slice(2, 3),
    inDoubt: { orders: 0, mostMs: 0 },
  });
});

test("orders whose undoing had to wait are told apart", () => {
  const orders = [makeOrder(9_900, 16_000), { ...makeOrder(9_900, 30_000), orderId: "doubtful" }];
  expect(growthOf(fault, orders, 100, new Set(["doubtful"]))).toMatchObject({
    orders: 1,
    mostMs: 6_000,
    inDoubt: { orders: 1, mostMs: 20_000 },
  });
});

test("orders that began while nothing was led count, others don't", () => {
  const met = [makeOrder(9_000, 10_000), makeOrder(15_000, 15_100)];
  const others = [makeOrder(9_000, 9_999), makeOrder(15_001, 90_000)];
  expect(growthOf(fault, [...met, ...others], 0)).toMatchObject({ orders: 2, mostMs: 1_000 });
});

test("a server's log tells which streams, consumers and cluster it has come to lead, readers aside", () => {
  const lines = [
    "[1] 2026/11/29 09:15:08.578872 [INF] Self is new JetStream cluster metadata leader",
    "[1] 2026/11/29 09:15:08.570946 [INF] JetStream cluster new metadata leader: n0/c",
    "[1] 2026/11/29 09:15:13.632014 [INF] JetStream cluster new stream leader for '$G > KV_SIDESTEP_PARTITIONS'",
    "[1] 2026/11/29 09:15:14.293295 [INF] JetStream cluster new consumer leader for '$G > SIDESTEP_TIMERS > log0'",
    "[1] 2026/11/29 09:15:14.293295 [INF] JetStream cluster new consumer leader for '$G > SIDESTEP_LOG_0 > readerX'",
  ];
  expect(parseElections(lines)).toEqual([
    { atMs: Date.UTC(2026, 10, 29, 9, 15, 8, 578), of: "meta" },
    { atMs: Date.UTC(2026, 10, 29, 9, 15, 13, 632), of: "KV_SIDESTEP_PARTITIONS" },
    { atMs: Date.UTC(2026, 10, 29, 9, 15, 14, 293), of: "SIDESTEP_TIMERS > log0" },
  ]);
});
