import { DefinedBlock_Role as Role } from "../../proto/gen/sidestep/v1/definitions.ts";
import type { DefinedBlock, DefinedStep } from "../../proto/gen/sidestep/v1/definitions.ts";

/** A workflow as a picture is made of it: what is done, and what comes behind what. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  readonly id: string;
  readonly text: string;
  /** "choice" parts ways, "end" is where the workflow begins or ends. */
  readonly shape: "step" | "choice" | "end";
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  /** Taken when something goes wrong, or to undo. */
  readonly isAside: boolean;
}

/** A way that ends here and goes on at the next step. */
interface Open {
  readonly from: string;
  readonly label: string;
  readonly isAside: boolean;
}

/** The graph of a workflow's steps. */
export function toGraph(steps: readonly DefinedStep[]): Graph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const add = (text: string, shape: GraphNode["shape"]): string => {
    const id = `n${nodes.length}`;
    nodes.push({ id, text, shape });
    return id;
  };
  const join = (open: readonly Open[], to: string): void => {
    for (const { from, label, isAside } of open) edges.push({ from, to, label, isAside });
  };
  const walk = (all: readonly DefinedStep[], open: readonly Open[]): readonly Open[] =>
    all.reduce((before, step) => walkStep(step, before), open);
  const walkBlock = (block: DefinedBlock, from: string, isAside: boolean): readonly Open[] =>
    walk(block.steps, [{ from, label: labelOf(block), isAside }]);
  const walkStep = (step: DefinedStep, open: readonly Open[]): readonly Open[] => {
    const id = add(textOf(step), step.kind === "switch" ? "choice" : "step");
    join(open, id);
    if (step.compensation !== undefined) {
      const undo = add(`undo: ${textOf(step.compensation)}`, "step");
      edges.push({ from: id, to: undo, label: "undone by", isAside: true });
      for (const block of step.compensation.blocks) walkBlock(block, undo, true);
    }
    const { blocks } = step;
    const last = blocks.find(({ role }) => role === Role.FINALLY);
    const ways = blocks.filter(({ role }) => role !== Role.FINALLY);
    const out = ways.flatMap((block) => {
      const ends = walkBlock(block, id, isAsideRole(block.role));
      if (!isRepeated(step)) return ends;
      for (const { from, isAside } of ends) edges.push({ from, to: id, label: "again", isAside });
      return [];
    });
    if (goesOnItself(step, ways)) out.unshift({ from: id, label: "", isAside: false });
    return last === undefined ? out : walk(last.steps, out);
  };
  const begin = add("start", "end");
  const left = walk(steps, [{ from: begin, label: "", isAside: false }]);
  join(left, add("end", "end"));
  return { nodes, edges };
}

function isRepeated({ kind }: DefinedStep): boolean {
  return kind === "loop" || kind === "for_each";
}

/** Whether the way goes on behind the step itself, beside what its blocks lead to. */
function goesOnItself(step: DefinedStep, ways: readonly DefinedBlock[]): boolean {
  if (step.kind === "return" || step.kind === "fail") return false;
  if (isRepeated(step) || ways.length === 0) return true;
  if (step.kind === "switch") return !ways.some(({ role }) => role === Role.DEFAULT);
  return ways.every(({ role }) => isAsideRole(role));
}

function isAsideRole(role: Role): boolean {
  return role === Role.CATCH || role === Role.ON_TIMEOUT || role === Role.ON_REJECT;
}

function labelOf({ role, label }: DefinedBlock): string {
  switch (role) {
    case Role.DEFAULT:
      return "otherwise";
    case Role.CATCH:
      return `catch ${label}`.trim();
    case Role.ON_TIMEOUT:
      return "too late";
    case Role.ON_REJECT:
      return "rejected";
    case Role.CASE:
    case Role.BRANCH:
    case Role.BODY:
    case Role.FINALLY:
    case Role.ROLE_UNSPECIFIED:
    case Role.UNRECOGNIZED:
      return label;
  }
}

function textOf({ title, id, name, kind, method }: DefinedStep): string {
  const called = title || id || name;
  const what = method === "" ? kind.replaceAll("_", " ") : method;
  return called === "" ? what : `${called}\n${what}`;
}

/** A graph for Mermaid, as Markdown pages draw it. */
export function mermaidText({ nodes, edges }: Graph): string {
  const quoted = (text: string): string =>
    `"${text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll("\n", "<br/>")}"`;
  const shaped = ({ text, shape }: GraphNode): string => {
    switch (shape) {
      case "step":
        return `[${quoted(text)}]`;
      case "choice":
        return `{${quoted(text)}}`;
      case "end":
        return `([${quoted(text)}])`;
    }
  };
  const arrow = ({ label, isAside }: GraphEdge): string =>
    `${isAside ? "-.->" : "-->"}${label === "" ? "" : `|${quoted(label)}|`}`;
  return [
    "flowchart TD",
    ...nodes.map((node) => `  ${node.id}${shaped(node)}`),
    ...edges.map((edge) => `  ${edge.from} ${arrow(edge)} ${edge.to}`),
    "",
  ].join("\n");
}

/** A graph for Graphviz. */
export function dotText({ nodes, edges }: Graph): string {
  const quoted = (text: string): string =>
    `"${text
      .replaceAll("\\", "\\\\")
      .replaceAll('"', String.raw`\"`)
      .replaceAll("\n", String.raw`\n`)}"`;
  const shapes: Readonly<Record<GraphNode["shape"], string>> = { step: "box", choice: "diamond", end: "oval" };
  return [
    "digraph workflow {",
    ...nodes.map(({ id, text, shape }) => `  ${id} [label=${quoted(text)}, shape=${shapes[shape]}];`),
    ...edges.map(({ from, to, label, isAside }) => {
      const style = isAside ? ", style=dashed" : "";
      return `  ${from} -> ${to} [label=${quoted(label)}${style}];`;
    }),
    "}",
    "",
  ].join("\n");
}
