import { readFileSync } from "node:fs";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { evaluateKept } from "../../engine/expression/evaluate.ts";
import { toKeptForm } from "../../engine/expression/kept.ts";
import { loadExpression } from "../../engine/expression/load.ts";
import { standardDeclarations } from "./declarations.ts";
import type { Wanted } from "./request.ts";
import { bindingsOf, bytesOf, checked, registry, scopeOf, typeNamed } from "./testing/expression.ts";

const page = readFileSync(new URL("../../../../docs/expressions.md", import.meta.url), "utf8");
const request = /^```json request\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
const input = bytesOf("shop.v1.FulfilRequest", JSON.parse(request));

/** The cells of the page's tables that are code. */
const rows = [...page.matchAll(/^\| (`.*`) \|$/gm)].map(([, row = ""]) =>
  row.split(/ (?<!\\)\| /).map((cell) => cell.slice(1, -1).replaceAll("\\|", "|")),
);

function yielded(source: string, wanted: Wanted): unknown {
  const { bytes, type } = checked(source, wanted, scopeOf({ input: "shop.v1.FulfilRequest" }), "shop.v1");
  const result = evaluateKept(loadExpression(bytes, registry), bindingsOf({ input }));
  if (result.kind === "failed") return result.message;
  const { message } = toKeptForm(type, registry);
  const json = toJson(message, fromBinary(message, result.value.bytes), {
    registry,
    alwaysEmitImplicit: type.kind !== "message",
  });
  return type.kind === "message" || typeof json !== "object" || json === null || Array.isArray(json)
    ? json
    : json["value"];
}

test("the page has rows of both kinds", () => {
  expect(rows.filter((row) => row.length === 2).length).toBeGreaterThan(25);
  expect(rows.filter((row) => row.length === 3).length).toBeGreaterThan(5);
});

test.each(rows)("docs/expressions.md: %s, %s", (...cells) => {
  const [first = "", second = "", third] = cells;
  const found =
    third === undefined ? yielded(first, { kind: "any" }) : yielded(second, { kind: "value", type: typeNamed(first) });
  expect(found).toEqual(JSON.parse(third ?? second));
});

test("the page names every function there is, and no other", () => {
  const list = /Functions and methods there are:\n\n([\s\S]*?);/.exec(page)?.[1] ?? "";
  const named = [...list.matchAll(/`([A-Za-z.]+)`/g)].map(([, name]) => name);
  const declared = [...standardDeclarations.keys()].filter((name) => /^[a-z]/.test(name)).toSorted();
  expect(named).toEqual(declared);
});
