import { expect, test } from "vitest";
import { completions } from "./completion.ts";

const vocabulary = {
  workflows: ["shop.v1.OrderWorkflow/Fulfil", "tour.v1.TourWorkflow/Visit"],
  attributes: ["customer"],
};

/** What is offered at the `|`, and what taking the first of it makes of the text. */
function at(marked: string): { readonly offered: readonly string[]; readonly taken: string } {
  const cursor = marked.indexOf("|");
  const text = marked.replace("|", "");
  const found = completions(text, cursor, vocabulary);
  const [first] = found;
  return {
    offered: found.map((one) => one.text),
    taken: first === undefined ? text : text.slice(0, first.from) + first.text + text.slice(cursor),
  };
}

test("fields and attributes are offered by how they begin", () => {
  expect(at("sta|").offered).toEqual(["state", "started"]);
  expect(at("attr|").taken).toBe("attributes.customer");
  expect(at("state == FAILED && wor|").taken).toBe("state == FAILED && workflow");
});

test("behind a whole field its operators are offered", () => {
  expect(at("state|").offered).toEqual([" == ", " != "]);
  expect(at("started|").offered).toEqual([" > ", " < "]);
  expect(at("attributes.customer|").offered).toEqual([" == ", " != ", '.startsWith("', '.endsWith("', '.contains("']);
});

test("values follow the field: states, codes, workflows in quotes", () => {
  expect(at("state == COMP|").offered).toEqual(["COMPENSATING", "COMPLETED", "COMPENSATED", "COMPENSATION_FAILED"]);
  expect(at("code == UNAV|").taken).toBe("code == UNAVAILABLE");
  expect(at('workflow == "shop|').taken).toBe('workflow == "shop.v1.OrderWorkflow/Fulfil"');
  expect(at("workflow == |").offered).toHaveLength(2);
});

test("times are offered as ages", () => {
  expect(at("started > now|").taken).toBe('started > now - duration("15m")');
});

test("behind a condition the next is joined", () => {
  expect(at("state == FAILED |").offered).toEqual(["&& ", "|| "]);
});
