import { expect, test } from "vitest";
import { DefinedBlock_Role as Role, DefinedStep } from "../../proto/gen/sidestep/v1/definitions.ts";
import { dotText, mermaidText, toGraph } from "./workflowGraph.ts";
import { stepLines } from "./workflowShow.ts";

const call = (id: string, more: Partial<DefinedStep> = {}): DefinedStep => ({
  ...DefinedStep.fromPartial({ name: id, id, kind: "call", method: `a.B/${id}` }),
  ...more,
});
const block = (role: Role, label: string, ...steps: readonly DefinedStep[]) => ({ role, label, steps: [...steps] });

/** Edges by the first lines of what they join. */
function ways(...steps: readonly DefinedStep[]): readonly string[] {
  const { nodes, edges } = toGraph(steps);
  const named = (id: string): string => nodes.find((node) => node.id === id)?.text.split("\n")[0] ?? "";
  return edges.map(({ from, to, label, isAside }) =>
    [named(from), isAside ? "..>" : "-->", named(to), label].join(" ").trim(),
  );
}

test("steps follow each other between start and end", () => {
  expect(ways(call("one"), call("two"))).toEqual(["start --> one", "one --> two", "two --> end"]);
});

test("a switch goes on by itself only when no case may hold", () => {
  const choice = (...blocks: DefinedStep["blocks"]) => call("which", { kind: "switch", method: "", blocks });
  expect(ways(choice(block(Role.CASE, "x > 1", call("big"))))).toEqual([
    "start --> which",
    "which --> big x > 1",
    "which --> end",
    "big --> end",
  ]);
  expect(ways(choice(block(Role.CASE, "x > 1", call("big")), block(Role.DEFAULT, "")))).toEqual([
    "start --> which",
    "which --> big x > 1",
    "big --> end",
    "which --> end otherwise",
  ]);
});

test("a loop leads back, and goes on behind itself", () => {
  const loop = call("each", { kind: "for_each", method: "", blocks: [block(Role.BODY, "", call("one"))] });
  expect(ways(loop)).toEqual(["start --> each", "each --> one", "one --> each again", "each --> end"]);
});

test("catches and compensations stand aside, what is done at last comes behind all of it", () => {
  const blocks = [
    block(Role.BODY, "", call("work")),
    block(Role.CATCH, "NOT_FOUND", call("mend")),
    block(Role.FINALLY, "", call("tidy")),
  ];
  const attempt = call("attempt", { kind: "try", method: "", blocks });
  expect(ways(attempt)).toEqual([
    "start --> attempt",
    "attempt --> work",
    "attempt ..> mend catch NOT_FOUND",
    "work --> tidy",
    "mend --> tidy",
    "tidy --> end",
  ]);
  expect(ways(call("pay", { compensation: call("refund") }))).toEqual([
    "start --> pay",
    "pay ..> undo: refund undone by",
    "pay --> end",
  ]);
});

test("what is returned or failed goes no further", () => {
  expect(ways(call("no", { kind: "fail", method: "" }))).toEqual(["start --> no"]);
});

test("texts of a definition stay texts in what draws them", () => {
  const graph = toGraph([call("x", { title: 'a "b" <c>' })]);
  expect(mermaidText(graph)).toContain('n1["a &quot;b&quot; &lt;c><br/>a.B/x"]');
  expect(dotText(graph)).toContain(String.raw`n1 [label="a \"b\" <c>\na.B/x", shape=box];`);
});

test("a definition in words has each step below what it stands in", () => {
  const step = call("which", {
    kind: "switch",
    method: "",
    blocks: [
      block(Role.CASE, "x > 1", call("big", { settings: [{ name: "when", text: "a\n  && b", expression: true }] })),
    ],
    compensation: call("undo"),
  });
  expect(stepLines([step], "")).toEqual([
    "which  switch",
    "  case x > 1:",
    "    big  call  a.B/big",
    "        when: a && b",
    "  undone by undo  call  a.B/undo",
  ]);
});
