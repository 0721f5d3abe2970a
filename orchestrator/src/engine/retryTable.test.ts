import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Failure_Origin as Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import type { CodeName } from "../../../proto/wire/status.ts";
import type { CallPlan } from "./plan.ts";
import { judge } from "./retry.ts";
import type { FailedTry } from "./retry.ts";
import { makePlan } from "./testing/plan.ts";
import type { CallSketch } from "./testing/sketch.ts";
import { makeFailure } from "./testing/records.ts";

const file = fileURLToPath(new URL("../../../docs/guarantees.md", import.meta.url));
const page = readFileSync(file, "utf8");

function call(sketch: Partial<CallSketch>): CallPlan {
  const [step] = makePlan({ steps: [{ id: "a", action: { kind: "call", method: "x.X/A", ...sketch } }] }).steps;
  if (step?.action.kind !== "call") throw new Error("a call is expected");
  return step.action.call;
}

const verify = { method: "x.X/Find", done: "true" };
const mayRepeat = {
  RETRY: call({ doubt: "RETRY" }),
  "VERIFY of an idempotent method": call({ doubt: "VERIFY", verify, isIdempotent: true }),
  "PAUSE of an idempotent method": call({ doubt: "PAUSE", isIdempotent: true }),
  "FAIL of an idempotent method": call({ doubt: "FAIL", isIdempotent: true }),
};
const mayNotRepeat = {
  VERIFY: call({ doubt: "VERIFY", verify }),
  PAUSE: call({ doubt: "PAUSE" }),
  FAIL: call({ doubt: "FAIL" }),
};
const policies: Readonly<Record<string, CallPlan>> = { ...mayRepeat, ...mayNotRepeat };

type Fact = Pick<FailedTry, "sent" | "redelivered"> & { readonly origin: Origin };
const neverSent: Fact = { sent: false, redelivered: false, origin: Origin.TRANSPORT };
const answered: Fact = { sent: true, redelivered: false, origin: Origin.SERVICE };
const ownClient: Fact = { sent: true, redelivered: false, origin: Origin.TRANSPORT };

const columns: readonly (readonly [title: string, plans: Readonly<Record<string, CallPlan>>, fact: Fact])[] = [
  ["never sent", policies, neverSent],
  ["sent; RETRY or an `idempotency_level`", mayRepeat, answered],
  ["sent; VERIFY, PAUSE or FAIL", mayNotRepeat, answered],
  ["sent, told by our own client; RETRY", mayRepeat, ownClient],
  ["the same; VERIFY, PAUSE or FAIL", mayNotRepeat, ownClient],
];

const statuses = (Object.keys(code) as CodeName[]).filter((name) => code[name] !== code.OK);

function judged(plan: CallPlan, name: CodeName, { origin, ...facts }: Fact) {
  return judge(plan, { failure: makeFailure(name, "", { origin }), ...facts });
}

const words = { again: "again", doubt: "`on_doubt`", answer: "never again" } as const;

/** What one column says of a status: the same for all of its policies. */
function cell(name: CodeName, plans: Readonly<Record<string, CallPlan>>, fact: Fact): string {
  const said = Object.values(plans).map((plan) => {
    const { next, maybeExecuted } = judged(plan, name, fact);
    return maybeExecuted ? `${words[next]} (maybe executed)` : words[next];
  });
  const [first = ""] = said;
  expect(new Set(said), `${name} is judged alike by ${Object.keys(plans).join(", ")}`).toEqual(new Set([first]));
  return first;
}

/** The whole table: statuses that are judged alike share a row. */
function table(): string {
  const rows = new Map<string, CodeName[]>();
  for (const name of statuses) {
    const cells = columns.map(([, plans, fact]) => cell(name, plans, fact)).join(" | ");
    rows.set(cells, [...(rows.get(cells) ?? []), name]);
  }
  const lines = [...rows].map(([cells, names]) => `| ${names.join(", ")} | ${cells} |`);
  const titles = columns.map(([title]) => title).join(" | ");
  return `| status | ${titles} |\n|${"---|".repeat(columns.length + 1)}\n${lines.join("\n")}\n`;
}

test("docs/guarantees.md has the retry table as the engine judges (vitest -u writes it)", async () => {
  expect(statuses).toHaveLength(16);
  const written = page.replace(
    /(<!-- table: retry -->\n)[\s\S]*?(<!-- end -->)/,
    (_, begin: string, end: string) => `${begin}${table()}${end}`,
  );
  expect(written).toContain(table());
  await expect(written).toMatchFileSnapshot(file);
});

test("a redelivered task's failure is judged like any other, and always leaves its call maybe executed", () => {
  for (const plan of Object.values(policies)) {
    for (const name of statuses) {
      for (const fact of [neverSent, answered, ownClient]) {
        const first = judged(plan, name, fact);
        expect(judged(plan, name, { ...fact, redelivered: true })).toEqual({ ...first, maybeExecuted: true });
      }
    }
  }
});
