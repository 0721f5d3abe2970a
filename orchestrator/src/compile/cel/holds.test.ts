import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { evaluateKept } from "../../engine/expression/evaluate.ts";
import { loadExpression } from "../../engine/expression/load.ts";
import { builtInVariables } from "./reserved.ts";
import type { Scope } from "./scope.ts";
import {
  bindingsOf,
  bytesOf,
  checkAs,
  checked,
  hex,
  messageNamed,
  registry,
  scopeOf,
  typeNamed,
} from "./testing/expression.ts";

const part = messageNamed("kinds.v1.Part");
const error = messageNamed("sidestep.v1.Error");
const errorType = typeNamed("sidestep.v1.Error");

function catching(detail: string): Scope {
  const holds = new Map([["detail", messageNamed(detail)]]);
  return { ...scopeOf({}), variables: new Map([["error", { kind: "certain", type: errorType, holds }]]) };
}

function caught(detail: string | undefined, json = {}): Uint8Array {
  const packed = detail === undefined ? undefined : anyPack(messageNamed(detail), create(messageNamed(detail), json));
  return toBinary(error, create(error, { message: "no ink", ...(packed === undefined ? {} : { detail: packed }) }));
}

function run(source: string, type: string, bytes: Uint8Array, detail = "kinds.v1.Part"): string {
  const expression = checked(source, { kind: "value", type: typeNamed(type) }, catching(detail));
  const value = evaluateKept(loadExpression(expression.bytes, registry), bindingsOf({ error: bytes }));
  return value.kind === "value" ? hex(value.value.bytes) : `${value.message} at ${value.offset}`;
}

function text(value: string): string {
  return hex(bytesOf("google.protobuf.StringValue", value));
}

describe("a field of type Any whose message is known", () => {
  test("is that message", () => {
    expect(run("error.detail.name", "string", caught("kinds.v1.Part", { name: "pen" }))).toBe(text("pen"));
    expect(run("error.detail", "kinds.v1.Part", caught("kinds.v1.Part", { count: 3 }))).toBe(
      hex(toBinary(part, create(part, { count: 3 }))),
    );
    expect(
      run("[error].map(e, e.message)[0] + error.detail.tags[0]", "string", caught("kinds.v1.Part", { tags: ["x"] })),
    ).toBe(text("no inkx"));
  });

  test("is the value itself where the message stands for one", () => {
    const bytes = caught("google.protobuf.StringValue", { value: "why" });
    expect(run("error.detail + '!'", "string", bytes, "google.protobuf.StringValue")).toBe(text("why!"));
  });

  test("is checked like any message, and its type goes with the expression", () => {
    expect(checkAs("error.detail.nmae", { kind: "string" }, catching("kinds.v1.Part"))).toMatchObject({
      kind: "wrong",
      issues: [{ code: "CEL_UNKNOWN_FIELD", offset: 13, hint: "did you mean 'name'?" }],
    });
    const { types } = checked("error.detail.name", { kind: "string" }, catching("kinds.v1.Part"));
    expect(types).toContain("kinds.v1.Part");
  });

  test("fails the evaluation where it holds another message, or none", () => {
    expect(run("error.detail.name", "string", caught("kinds.v1.Plain"))).toBe(
      "'detail' holds kinds.v1.Plain, kinds.v1.Part is expected in it at 6",
    );
    expect(run("error.detail.name", "string", caught(undefined))).toBe(
      "'detail' is not set, kinds.v1.Part is expected in it at 6",
    );
  });

  test("is an optional value where it may be missing", () => {
    const source = "error.?detail.?name.orValue('none')";
    expect(run(source, "string", caught(undefined))).toBe(text("none"));
    expect(run(source, "string", caught("kinds.v1.Part", { name: "pen" }))).toBe(text("pen"));
  });

  test("has the field's presence", () => {
    const source = "has(error.detail) ? error.detail.name : 'none'";
    expect(run(source, "string", caught(undefined))).toBe(text("none"));
    expect(run(source, "string", caught("kinds.v1.Part", { name: "pen" }))).toBe(text("pen"));
    expect(run("{name: 'outer', inner: error.detail}", "kinds.v1.Part", caught(undefined))).toBe(
      hex(bytesOf("kinds.v1.Part", { name: "outer" })),
    );
    expect(run("{inner: error.detail}", "kinds.v1.Part", caught("kinds.v1.Part"))).toBe(
      hex(bytesOf("kinds.v1.Part", { inner: {} })),
    );
  });
});

test("every name that a definition may give a value can be a variable of any type", () => {
  const names = [...builtInVariables].filter((name) => !["steps", "run", "now", "metadata"].includes(name));
  for (const name of [...names, "item"]) {
    for (const type of [
      "int64",
      "kinds.v1.Color",
      "list(kinds.v1.Part)",
      "map(string, string)",
      "sidestep.v1.Decision",
    ]) {
      const { reads, bytes } = checked(name, { kind: "any" }, scopeOf({ [name]: type }));
      const value = evaluateKept(loadExpression(bytes, registry), bindingsOf({ [name]: new Uint8Array() }));
      expect(reads).toEqual([name]);
      expect(value).toMatchObject({ kind: "value", value: { type } });
    }
  }
  expect(names).toEqual(["input", "query", "event", "answer", "decision", "error", "index", "iteration"]);
});
