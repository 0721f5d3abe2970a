import { expect, test } from "vitest";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { JournalEntry } from "../support/orderServices.ts";
import { judge } from "./judge.ts";
import type { Played } from "./judge.ts";
import { stories } from "./stories.ts";
import type { Story } from "./stories.ts";

const { good, moon } = stories as Readonly<Record<"good" | "moon", Story>>;

/** Journals of one order: each effect a millisecond after the one before, under a key of its own. */
function journal(...methods: readonly string[]): readonly JournalEntry[] {
  return effectsOf(2026, methods);
}

/** Effects after all others. */
function late(...methods: readonly string[]): readonly JournalEntry[] {
  return effectsOf(2027, methods);
}

function effectsOf(year: number, methods: readonly string[]): readonly JournalEntry[] {
  return methods.map((method, index) => ({
    time: `${year}-01-01T00:00:00.${String(index).padStart(3, "0")}Z`,
    method,
    key: `${method}-${year}-${index}`,
    order: "o",
    outcome: "effect",
  }));
}

function played(over: Partial<Played>): Played {
  return { orderId: "o", runIds: new Set(["r"]), state: Run_State.COMPLETED, journal: [], ...over };
}

const forward = journal("Reserve", "Charge", "Label", "Ship");
const undone = journal("Reserve", "Charge", "Label", "Refund", "Release");
const compensated = Run_State.COMPENSATED;

test("an order that is done, and one that is undone, have nothing wrong", () => {
  expect(judge(good, played({ journal: forward }))).toEqual([]);
  expect(judge(moon, played({ state: compensated, journal: undone }))).toEqual([]);
});

test("repeats, refusals and other orders are no effects; what may have been shipped may be called back", () => {
  const noise = forward.flatMap((it): readonly JournalEntry[] => [
    { ...it, outcome: "repeat" },
    { ...it, outcome: "refused" },
    { ...it, order: "another", key: `other ${it.key}` },
  ]);
  expect(judge(good, played({ journal: [...forward, ...noise] }))).toEqual([]);
  const called = journal("Reserve", "Charge", "Label", "Cancel", "Refund", "Release");
  expect(judge(moon, played({ state: compensated, journal: called }))).toEqual([]);
});

test.each<readonly [breach: string, story: Story, played: Partial<Played>]>([
  ["2 runs", good, { journal: forward, runIds: new Set(["r", "s"]) }],
  ["0 runs", good, { journal: forward, runIds: new Set() }],
  ["state COMPENSATED, expected COMPLETED", good, { journal: forward, state: compensated }],
  ["state unknown, expected COMPLETED", good, { journal: forward, state: undefined }],
  ["Charge has 0 effects", good, { journal: journal("Reserve", "Label", "Ship") }],
  ["Charge has 2 effects", good, { journal: journal("Reserve", "Charge", "Charge", "Label", "Ship") }],
  ["Label came before Charge", good, { journal: journal("Reserve", "Label", "Charge", "Ship") }],
  ["Refund has 2 effects", moon, { state: compensated, journal: [...undone, ...late("Refund")] }],
  ["Refund has 0 effects", moon, { state: compensated, journal: undone.filter((it) => it.method !== "Refund") }],
  [
    "Release came before Refund",
    moon,
    { state: compensated, journal: journal("Reserve", "Charge", "Label", "Release", "Refund") },
  ],
  ["Refund has an effect", good, { journal: [...forward, ...late("Refund")] }],
  [
    "Ship has an effect",
    moon,
    { state: compensated, journal: journal("Reserve", "Charge", "Label", "Ship", "Refund", "Release") },
  ],
  ["Cancel undid more than once", moon, { state: compensated, journal: [...undone, ...late("Cancel", "Cancel")] }],
  [
    "an effect without an idempotency key",
    good,
    { journal: forward.map((it) => (it.method === "Ship" ? { ...it, key: "" } : it)) },
  ],
  ["two effects of one idempotency key", good, { journal: [...forward, ...forward.slice(0, 1)] }],
  ["done after something was undone", moon, { state: compensated, journal: [...undone, ...late("Label")] }],
])("%s", (breach, story, over) => {
  expect(judge(story, played(over))).toContain(`o: ${breach}`);
});
