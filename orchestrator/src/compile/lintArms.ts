import type { DescEnum, DescEnumValue } from "@bufbuild/protobuf";
import type { Step, Switch } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { candidateNames } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const never = "leave out what it stands for, or let the condition depend on something: on a `let`, say";

/** Conditions that don't decide anything, and enum values that a switch leaves out. */
export function lintArms(context: Context, step: Step, place: Place): void {
  const { findings } = context;
  const constant = constantOf(step.when);
  if (constant !== undefined) {
    const message = constant ? "this is always true" : "this is never true: the step never runs";
    findings.add("DEAD_ARM", fieldOf(place, "when"), message, constant ? "leave the `when` out" : never);
  }
  if (step.kind?.$case === "switch") {
    const at = fieldOf(place, "switch");
    lintCases(context, step.kind.value, at);
    lintEnum(context, step.kind.value, at);
  }
  if (step.kind?.$case === "try") {
    for (const [index, one] of step.kind.value.catch.entries()) {
      if (constantOf(one.when) !== false) continue;
      const at = fieldOf(elementOf(fieldOf(place, "try"), "catch", index), "when");
      findings.add("DEAD_ARM", at, "this is never true: the catch never runs", never);
    }
  }
}

function lintCases({ findings }: Context, choice: Switch, place: Place): void {
  const seen = new Map<string, number>();
  let always: number | undefined;
  for (const [index, { when }] of choice.case.entries()) {
    const at = fieldOf(elementOf(place, "case", index), "when");
    const text = when.replaceAll(/\s+/g, " ").trim();
    const constant = constantOf(when);
    const same = seen.get(text);
    if (always !== undefined) {
      findings.add(
        "DEAD_ARM",
        at,
        `this case never runs: case[${always}] is always true`,
        "put it first, or leave it out",
      );
    } else if (constant === false) {
      findings.add("DEAD_ARM", at, "this is never true: the case never runs", never);
    } else if (constant === true) {
      const message = "this is always true: what comes after it never runs";
      findings.add("DEAD_ARM", at, message, "write `default { … }` in place of the last case");
      always = index;
    } else if (same !== undefined && text !== "") {
      findings.add("DEAD_ARM", at, `this case never runs: case[${same}] has the same condition`, "leave one out");
    }
    if (same === undefined) seen.set(text, index);
  }
  if (always !== undefined && choice.default !== undefined) {
    const message = `the default never runs: case[${always}] is always true`;
    findings.add("DEAD_ARM", fieldOf(place, "default"), message, "leave one of them out");
  }
}

/** A switch that compares one value with values of one enum, and has neither all of them nor a default. */
function lintEnum(context: Context, choice: Switch, place: Place): void {
  if (choice.default !== undefined || choice.case.length < 2) return;
  const named = new Set<string>();
  let subject: string | undefined;
  // More than one only where a bare name is that of values of several.
  let enums: readonly DescEnum[] | undefined;
  for (const { when } of choice.case) {
    for (const part of when.split("||")) {
      const compared = /^[\s(]*([\w.]+)\s*==\s*([\w.]+)[\s)]*$/.exec(part);
      const [, left = "", right = ""] = compared ?? [];
      const ofRight = enumsWith(context, right);
      const [other, value, found] =
        ofRight.length > 0 ? [left, right, ofRight] : [right, left, enumsWith(context, left)];
      const before = enums;
      enums = before === undefined ? found : found.filter((one) => before.includes(one));
      if (enums.length === 0 || (subject !== undefined && subject !== other)) return;
      subject = other;
      named.add(value.slice(value.lastIndexOf(".") + 1));
    }
  }
  const lists = new Set((enums ?? []).map((one) => missingOf(one, named)));
  const [list = ""] = lists;
  // Which one is meant is known to the checker alone.
  if (lists.size !== 1 || list === "") return;
  context.findings.add(
    "ENUM_ARMS",
    place,
    `${subject ?? ""} has no case for ${list}`,
    "add them; an empty `default {}` says that nothing is done for the rest",
  );
}

/** Values that have no case, in words; empty: each has one. */
function missingOf({ values }: DescEnum, named: ReadonlySet<string>): string {
  const numbers = new Set(values.flatMap(({ name, number }) => (named.has(name) ? [number] : [])));
  const missing = values.filter((value) => !numbers.has(value.number) && !isUnspecified(value));
  const names = missing.map(({ name }) => name);
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}

/** The zero value by which proto3 says that nothing was said. */
function isUnspecified({ name, number }: DescEnumValue): boolean {
  return number === 0 && /(^|_)(UNSPECIFIED|UNKNOWN)$/.test(name);
}

/** Enums that a value of this name is of: `shop.v1.Mood.MOOD_GOOD`, or `MOOD_GOOD` alone, as it may stand beside one of its enum. */
function enumsWith({ registry, container }: Context, text: string): readonly DescEnum[] {
  const dot = text.lastIndexOf(".");
  const has = (one: DescEnum): boolean => one.values.some(({ name }) => name === text.slice(dot + 1));
  if (dot < 0) return [...registry].filter((type) => type.kind === "enum").filter(has);
  for (const candidate of candidateNames(text.slice(0, dot), container)) {
    const found = registry.getEnum(candidate);
    if (found !== undefined && has(found)) return [found];
  }
  return [];
}

/** What a condition always comes to, where its text says so. */
function constantOf(source: string): boolean | undefined {
  const bare = source.replaceAll(/[\s()]/g, "");
  const word = bare.replace(/^!+/, "");
  if (word !== "true" && word !== "false") return undefined;
  return (word === "true") === ((bare.length - word.length) % 2 === 0);
}
