import { definedBlock_RoleToJSON, DescribeDefinitionResponse } from "../../proto/gen/sidestep/v1/definitions.ts";
import type { DefinedBlock, DefinedSetting, DefinedStep } from "../../proto/gen/sidestep/v1/definitions.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ShownForm } from "./listForm.ts";
import { printShown } from "./listing.ts";
import { listText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { dotText, mermaidText, toGraph } from "./workflowGraph.ts";

export interface WorkflowOptions {
  readonly address: string;
  readonly workflow: string;
  /** 0: the active one. */
  readonly definitionVersion: number;
}

/** Prints a workflow as it was written: its settings, and its steps as they are nested. */
export async function describeWorkflow(
  options: WorkflowOptions & { readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  const answer = await definitionOf(options);
  const bytes = DescribeDefinitionResponse.encode(answer).finish();
  const shown = { type: "sidestep.v1.DescribeDefinitionResponse", bytes };
  await printShown(options.output, shown, () => definitionText(answer), terminal);
}

function definitionText(definition: DescribeDefinitionResponse): string {
  const { workflow, version, requestType, responseType, streaming, settings, steps } = definition;
  const head = listText([
    ["workflow", workflow],
    ["version", String(version)],
    ["request", requestType],
    ["response", `${streaming ? "stream of " : ""}${responseType}`],
    ...settings.map(({ name, text }) => [name, oneLine(text)] as const),
  ]);
  return `${head}\n${stepLines(steps, "").join("\n")}\n`;
}

/** Prints a workflow's graph, for Mermaid or Graphviz. */
export async function drawWorkflow(
  options: WorkflowOptions & { readonly output: "mermaid" | "dot" },
  terminal: Terminal,
): Promise<void> {
  const { steps } = await definitionOf(options);
  const graph = toGraph(steps);
  terminal.out(options.output === "dot" ? dotText(graph) : mermaidText(graph));
}

async function definitionOf(options: WorkflowOptions): Promise<DescribeDefinitionResponse> {
  using client = openFrontClient(options.address);
  const { workflow, definitionVersion } = options;
  return await client.call(client.definitions.describe.bind(client.definitions), {
    workflow,
    version: definitionVersion,
  });
}

/** Steps a line each, what stands in them below them. */
export function stepLines(steps: readonly DefinedStep[], indent: string): readonly string[] {
  return steps.flatMap((step) => [
    `${indent}${headOf(step)}`,
    ...step.settings.map((setting) => `${indent}    ${settingText(setting)}`),
    ...step.blocks.flatMap((block) => blockLines(block, `${indent}  `)),
    ...(step.compensation === undefined
      ? []
      : [
          `${indent}  undone by ${headOf(step.compensation)}`,
          ...step.compensation.settings.map((setting) => `${indent}      ${settingText(setting)}`),
          ...step.compensation.blocks.flatMap((block) => blockLines(block, `${indent}    `)),
        ]),
  ]);
}

function headOf({ name, kind, method, title }: DefinedStep): string {
  return [name, kind, method, title === "" ? "" : JSON.stringify(title)].filter((part) => part !== "").join("  ");
}

function settingText({ name, text }: DefinedSetting): string {
  return `${name}: ${oneLine(text)}`;
}

function blockLines({ role, label, steps }: DefinedBlock, indent: string): readonly string[] {
  const name = definedBlock_RoleToJSON(role).toLowerCase().replaceAll("_", " ");
  return [
    `${indent}${[name, oneLine(label)].filter((part) => part !== "").join(" ")}:`,
    ...stepLines(steps, `${indent}  `),
  ];
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}
