import { expect, test } from "vitest";
import type { Wanted } from "./request.ts";
import type { Scope } from "./scope.ts";
import { checkAs, registry, typeNamed } from "./testing/expression.ts";
import { checkExpression } from "./check.ts";

const scope: Scope = {
  variables: new Map([
    ["input", { kind: "certain", type: typeNamed("shop.v1.FulfilRequest") }],
    ["reserve", { kind: "certain", type: typeNamed("inventory.v1.ReserveResponse") }],
    ["charge", { kind: "conditional", type: typeNamed("payment.v1.ChargeResponse"), reason: "it has a `when`" }],
    ["ship", { kind: "hidden", reason: "it comes later" }],
    ["all", { kind: "certain", type: typeNamed("kinds.v1.Everything") }],
    ["legacy", { kind: "certain", type: typeNamed("legacy.v1.Required") }],
  ]),
  steps: new Map([
    ["reserve", { kind: "visible" }],
    ["charge", { kind: "visible" }],
    ["ship", { kind: "hidden", reason: "it comes later" }],
  ]),
  builtIns: new Set(["run", "now", "metadata"]),
};

/** What is wanted, and expressions that are not that; the issues of each stand in testdata/wrong.txt. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  bool: [
    "",
    "a && (b || c",
    'input.order_id == "x',
    "input.pay_by_invoice & true",
    'input.order_id = "x"',
    "input.pay_by_invoice and true",
    "not input.pay_by_invoice",
    "input..items",
    "a ? b",
    "a ? b ? c : d : e",
    "input.items)",
    "x.for",
    "x.in",
    "for",
    "`a`",
    'inptu.order_id == ""',
    'payment.charge_id == ""',
    'size(input.items) > "0"',
    'charge.review_required || charge.risk_score > "0.8"',
    "steps.chrge.attempts > 1u",
    "has(steps.ship)",
    "steps",
    "steps == null",
    "input.items.exists(i, i.quantity)",
    "input.items.all(i, true, k)",
    "has(input)",
    "has(input.nothing)",
    'startsWith(input.order_id, "a")',
    'input.order_id.matches("(")',
    'int("12a") > 1',
    'now.getHours("Europe/Nowhere") > 3',
    'now + duration("1h") > 5',
    "reserve",
    "metadata.tenant == 5",
    "all.plain.uint32 + all.plain.int32 > 1u",
    "!input.order_id",
    "all.plain.color == payment.v1.METHOD_CARD",
  ],
  "payment.v1.ChargeRequest": [
    "input.items.map(i, {sku: i.sku quantity: 1})",
    "{order_id: input.order_id,, amount: 1}",
    "{order_id input.order_id}",
    "{?order_id: input.order_id}",
    "{?order_id: optional.of(5)}",
    "{order_id: input.totl, amount: input.total}",
    "{order_id: 5, amount: input.order_id}",
    '{orderid: "x"}',
    '{order_id: "a", order_id: "b"}',
    "{method: METHOD_CRAD}",
    "{method: payment.v1.Method.CARD}",
    "{method: kinds.v1.COLOR_RED}",
    "payment.v1.ChargReq{}",
    "kinds.v1.Part{}",
  ],
  int: [
    "1 +",
    "size(input.items]",
    "f(1,)",
    "1 ++ 2",
    "2x",
    "length(input.items)",
    "input.order_id.lenght()",
    "input.order_id.size(1)",
    "math.greatest(1, 2)",
    "input.order_id ? 1 : 2",
    "now.seconds",
    "-all.plain.uint32",
  ],
  string: [
    "input.?order_id",
    "input.?ordr_id.orValue('')",
    "input.order_id.orValue('')",
    '"%d of %s".format([input.order_id, input])',
    '"%d%".format([1])',
    '"%s %s".format([1])',
    '"a\\qb"',
    "input.ordr_id",
    "input.orderId",
    "input.items.sku",
    "input.order_id + 1",
    "charge.charge_id",
    "ship.tracking",
    "input.order_id.toUpperCase()",
    'input["order_id"]',
    "run.idd",
    "all.known.string + 1",
    "all.known.string.value",
  ],
  "kinds.v1.Plain": ["{int32: 2147483648, uint32: -1}", "{uint64: -1}", "{int32: null}"],
  "legacy.v1.Required": ["{level: 3}"],
  "kinds.v1.Known": ["{timestamp: {seconds: 1}}", '{duration: "5m"}', "{struct: {a: 1}}"],
  "kinds.v1.Part": ['{tags: "a"}', "{tags: [1]}", '{sizes: {"a": "b"}}'],
  any: [
    "input.items.map(i, input.items.map(j, input.items.map(k, k)))",
    "input.items.map(i)",
    "input.order_id.map(c, c)",
    'duration("7x")',
    'input.pay_by_invoice ? 1 : "a"',
    '[1, "a"]',
    "null",
    "[[1]]",
    "type(1)",
    "dyn(1)",
    'input.items["a"]',
  ],
  timestamp: ['timestamp("today")', 'now - "5m"'],
  double: ["5u + 1.5"],
};

function toWanted(name: string): Wanted {
  switch (name) {
    case "any":
    case "bool":
    case "string":
    case "timestamp":
      return { kind: name };
    default:
      return { kind: "value", type: typeNamed(name) };
  }
}

function tell(source: string, wanted: string): string {
  const result = checkAs(source, toWanted(wanted), scope, "shop.v1");
  if (result.kind === "ok") return `${source}\nnothing is wrong`;
  const lines = result.issues.map(({ offset, length, code, message, hint }) => {
    const line = `${" ".repeat(offset)}${"^".repeat(length)} ${code}: ${message}`;
    return hint === undefined ? line : `${line}\n${" ".repeat(offset)}hint: ${hint}`;
  });
  return [source, ...lines].join("\n");
}

test("each mistake is told at its place, with its code and a hint", async () => {
  const told = Object.entries(wrong).map(([wanted, sources]) =>
    [`---- ${wanted} is wanted`, ...sources.map((source) => tell(source, wanted))].join("\n\n"),
  );
  expect(told.join("\n")).not.toContain("nothing is wrong");
  await expect(`${told.join("\n\n")}\n`).toMatchFileSnapshot("testdata/wrong.txt");
});

test("offsets count UTF-16 units, behind characters of two units too", () => {
  const result = checkAs('"😀😀😀😀😀é" + input.ordr_id', { kind: "string" }, scope);
  expect(result).toMatchObject({ kind: "wrong", issues: [{ offset: 22, length: 7, code: "CEL_UNKNOWN_FIELD" }] });
  const broken = checkAs('"😀é" + ', { kind: "string" }, scope);
  expect(broken).toMatchObject({ kind: "wrong", issues: [{ offset: 6, length: 1, code: "CEL_SYNTAX" }] });
});

function issueOf(source: string, limits = {}): string | undefined {
  const all = { sourceBytesMax: 4096, nodesMax: 1000, comprehensionDepthMax: 2, depthMax: 64, ...limits };
  const result = checkExpression({
    source,
    wanted: { kind: "any" },
    scope,
    registry,
    container: "shop.v1",
    limits: all,
  });
  return result.kind === "ok" ? undefined : result.issues.map(({ code, message }) => `${code}: ${message}`).join("; ");
}

test("limits hold at the limit, and one over is refused", () => {
  expect(issueOf(`"${"é".repeat(2047)}"`)).toBeUndefined();
  expect(issueOf(`"${"é".repeat(2047)}x"`)).toBe("CEL_LIMIT: the expression has 4097 bytes, 4096 are allowed");
  expect(issueOf("input.items.all(a, input.items.all(b, true))")).toBeUndefined();
  expect(issueOf("input.items.all(a, input.items.all(b, input.items.all(c, true)))")).toBe(
    "CEL_LIMIT: comprehensions stand 3 deep in each other, 2 are allowed",
  );
  expect(
    issueOf("input.items.all(a, input.items.all(b, input.items.all(c, true)))", { comprehensionDepthMax: 3 }),
  ).toBeUndefined();
  expect(issueOf(`${"(".repeat(63)}1${")".repeat(63)}`)).toBeUndefined();
  expect(issueOf(`${"(".repeat(64)}1${")".repeat(64)}`)).toBe("CEL_LIMIT: the expression is nested more than 64 deep");
  expect(issueOf(`${"!".repeat(64)}true`)).toBeUndefined();
  expect(issueOf(`${"!".repeat(65)}true`)).toBe("CEL_LIMIT: the expression is nested more than 64 deep");
  const flat = { depthMax: 400 };
  expect(issueOf(`[${"1,".repeat(999)}]`, flat)).toBeUndefined();
  expect(issueOf(`[${"1,".repeat(1000)}]`, flat)).toBe("CEL_LIMIT: the expression has 1001 parts, 1000 are allowed");
  expect(issueOf(`1${"+1".repeat(255)}`)).toBeUndefined();
  expect(issueOf(`1${"+1".repeat(256)}`)).toBe("CEL_LIMIT: the expression has more than 256 operations in a row");
});

test("hostile text ends in an issue, never in a crash", () => {
  const hostile = [
    "(",
    "[",
    "{",
    "{'a':",
    "f(",
    "x[",
    "x.f(",
    "!",
    "-",
    "- ",
    "a?b:",
    "a&&",
    "a.",
    "a[0].",
    "'",
    "\\",
    "\u0000",
    "a.all(b,",
    "M{f:",
  ];
  for (const piece of hostile) {
    for (const count of [1, 50, 400]) {
      expect(issueOf(piece.repeat(count).slice(0, 4096)), `${count} × ${piece}`).toBeDefined();
    }
  }
});
