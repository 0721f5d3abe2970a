import { expect, test } from "vitest";
import { Run_State } from "../../../../proto/gen/sidestep/v1/run.ts";
import { parseFilter } from "./parseFilter.ts";

const nowMs = Date.parse("2026-01-31T12:00:00Z");
const show = (source: string): unknown => {
  const parsed = parseFilter(source, nowMs);
  if (parsed.kind === "filter") return parsed.filter;
  const { message, hint, offset, length } = parsed;
  return `${message}; ${hint ?? ""}\n${source}\n${" ".repeat(offset)}${"^".repeat(length)}`;
};

test("an empty filter means every run", () => {
  expect(show("  ")).toEqual({ kind: "constant", value: true });
});

test("fields are compared with what they hold, states and codes by their names", () => {
  expect(show('state == PAUSED && code != "UNAVAILABLE"')).toEqual({
    kind: "all",
    of: [
      {
        kind: "compare",
        place: { kind: "field", name: "state" },
        operator: "=",
        value: { kind: "number", value: Run_State.PAUSED },
      },
      {
        kind: "not",
        of: {
          kind: "compare",
          place: { kind: "field", name: "code" },
          operator: "=",
          value: { kind: "number", value: 14 },
        },
      },
    ],
  });
});

test("the literal may stand on the left", () => {
  const place = { kind: "field", name: "version" };
  expect(show("3 < version")).toEqual({ kind: "compare", place, operator: ">", value: { kind: "number", value: 3 } });
});

test("times are literals, or counted from now", () => {
  const started = (operator: string, time: string): unknown => ({
    kind: "compare",
    place: { kind: "field", name: "started" },
    operator,
    value: { kind: "number", value: Date.parse(time) },
  });
  expect(show('started > now - duration("1h30m")')).toEqual(started(">", "2026-01-31T10:30:00Z"));
  expect(show('started <= timestamp("2026-01-01")')).toEqual(started("<=", "2026-01-01T00:00:00Z"));
});

test("attributes are texts, numbers, bools and times, by what they are compared with", () => {
  expect(show('attributes.customer == "c-1"')).toMatchObject({ value: { kind: "text", value: "c-1" } });
  expect(show('attributes["total"] >= -2.5')).toMatchObject({ operator: ">=", value: { kind: "number", value: -2.5 } });
  expect(show("attributes.vip")).toMatchObject({ value: { kind: "bool", value: true } });
  expect(show("has(attributes.vip)")).toEqual({ kind: "present", place: { kind: "attribute", name: "vip" } });
  expect(show('attributes.customer.startsWith("c")')).toMatchObject({ kind: "text", how: "startsWith", value: "c" });
});

test("membership is any of the list", () => {
  expect(show("state in [FAILED, 'cancelled']")).toMatchObject({
    kind: "any",
    of: [{ value: { value: Run_State.FAILED } }, { value: { value: Run_State.CANCELLED } }],
  });
});

test("a wrong filter is told with its place and a hint", () => {
  expect([
    show("state = PAUSED"),
    show("stat == PAUSED"),
    show("state == PAUSD"),
    show('held && workflow > "a"'),
    show('started > "yesterday"'),
    show("version"),
    show("attributes.Customer == 1"),
    show("size(key) > 3"),
    show("attributes.map(x, x)"),
    show('started > now - duration("1x")'),
  ]).toMatchInlineSnapshot(`
    [
      "'=' is no operator; equal is ==
    state = PAUSED
          ^",
      "a run has no field 'stat'; did you mean 'state'?
    stat == PAUSED
    ^^^^",
      "there is no state 'PAUSD'; did you mean 'PAUSED'?
    state == PAUSD
             ^^^^^",
      "only numbers and times are more or less than others; compare it with == or !=
    held && workflow > "a"
                     ^",
      "a time is expected here; write timestamp("2026-01-31T00:00:00Z"), or now - duration("1h")
    started > "yesterday"
              ^^^^^^^^^^^",
      "compare 'version' with something; write it like: state == PAUSED && attributes.customer == "c-1"
    version
    ^^^^^^^",
      "'Customer' can't be the name of an attribute; 
    attributes.Customer == 1
               ^^^^^^^^",
      "a field of the run is expected here; the fields are id, workflow, version, key, state, held, started, ended, deadline, code, step, message, parent, incidents, approvals and attributes.<name>
    size(key) > 3
    ^^^^",
      "a condition is expected here; write it like: state == PAUSED && attributes.customer == "c-1"
    attributes.map(x, x)
               ^^^",
      "'1x' is not a duration; write it like "300ms", "5s", "10m", "24h", "7d" or "1h30m"
    started > now - duration("1x")
                             ^^^^",
    ]
  `);
});
