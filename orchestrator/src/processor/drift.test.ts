import { clone, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { buildContract, compileRight, output, reserve } from "../compile/testing.ts";
import { readContract } from "../compile/contract/contract.ts";
import type { Contract } from "../compile/contract/contract.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import { openDrift } from "./drift.ts";
import type { LiveContract, LiveContracts } from "./liveContracts.ts";

const built = buildContract();
const method = "contract.v1.Stock/Reserve";
const workflow = compileRight(built, { workflow: { step: [reserve], output } });
const plan = loadPlan(Plan.encode(workflow.plan).finish());

/** The contract without a field of its messages. */
function without(message: string, number: number): Contract {
  const set = clone(FileDescriptorSetSchema, built);
  for (const file of set.file)
    for (const one of file.messageType)
      if (one.name === message) one.field = one.field.filter((field) => field.number !== number);
  const contract = readContract(toBinary(FileDescriptorSetSchema, set));
  if (contract === undefined) throw new Error("no contract");
  return contract;
}

const whole = without("", 0);
const misfit = without("ReserveRequest", 1);

/** Services that a test sets. */
function fakeLive() {
  let offers: readonly LiveContract[] | undefined = [];
  let revision = 0;
  const listeners = new Set<() => void>();
  const live = {
    looked: 0,
    set: (next: typeof offers) => {
      offers = next;
      revision += 1;
      for (const listener of listeners) listener();
    },
    of: () => {
      live.looked += 1;
      return offers;
    },
    read: () => Promise.resolve(offers ?? []),
    byId: (_service: string, id: string) => (id === "misfit" ? misfit : id === "whole" ? whole : "unread"),
    revision: () => revision,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: () => undefined,
  } satisfies LiveContracts & { looked: number; set: unknown };
  return live;
}

test("a call is held when some run and none of them fits, and not when one does or says nothing", () => {
  const live = fakeLive();
  using drift = openDrift(live);
  expect(drift.reasonFor(plan, method, "reserve")).toBeUndefined();
  live.set([{ contract: misfit, sidecars: ["old on a", "old on b"] }]);
  expect(drift.reasonFor(plan, method, "reserve")).toBe(
    "drift: contract.v1.Stock/Reserve as it runs does not fit, beside old on a, old on b: request: field 1 (order_id) is gone",
  );
  live.set([
    { contract: misfit, sidecars: ["old on a"] },
    { contract: whole, sidecars: ["new on b"] },
  ]);
  expect(drift.reasonFor(plan, method, "reserve")).toBeUndefined();
  live.set(undefined);
  expect(drift.reasonFor(plan, method, "reserve")).toBeUndefined();
});

test("what the step does not set or read may be gone", () => {
  const live = fakeLive();
  using drift = openDrift(live);
  live.set([{ contract: without("ReserveRequest", 3), sidecars: ["a"] }]);
  expect(drift.reasonFor(plan, method, "reserve")).toBeUndefined();
});

test("nothing is compared again while nobody comes or goes", () => {
  const live = fakeLive();
  using drift = openDrift(live);
  live.set([{ contract: misfit, sidecars: ["a"] }]);
  for (let i = 0; i < 100; i++) drift.reasonFor(plan, method, "reserve");
  expect(live.looked).toBe(1);
});

test("it is told when a call fits again, and only then", () => {
  const live = fakeLive();
  using drift = openDrift(live);
  let told = 0;
  drift.onRelease(() => (told += 1));
  live.set([{ contract: misfit, sidecars: ["a"] }]);
  drift.reasonFor(plan, method, "reserve");
  live.set([{ contract: misfit, sidecars: ["a", "b"] }]);
  expect(told).toBe(0);
  live.set([{ contract: whole, sidecars: ["c"] }]);
  expect(told).toBe(1);
  live.set([{ contract: whole, sidecars: ["c", "d"] }]);
  expect(told).toBe(1);
});

test("of one description it is said whether it fits; one that is not read yet is waited for", () => {
  using drift = openDrift(fakeLive());
  expect(["whole", "misfit", "other"].map((id) => drift.standing(plan, method, "reserve", id))).toEqual([
    "fits",
    "misfits",
    "unread",
  ]);
});
