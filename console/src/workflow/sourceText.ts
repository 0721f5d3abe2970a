import type { Definition } from "../api/definition.ts";
import type { DefinedBlock, DefinedStep, Setting } from "../graph/definition.ts";

/** A definition as lines of text: what a contract says, without what is built in. */
export function sourceLines({ settings, steps }: Pick<Definition, "settings" | "steps">): readonly string[] {
  return [...settings.map((one) => settingLine(one, "")), ...steps.flatMap((step) => ["", ...stepLines(step, "")])];
}

function stepLines(step: DefinedStep, indent: string): readonly string[] {
  const inner = `${indent}  `;
  const title = step.title === "" ? [] : [`${inner}title: ${JSON.stringify(step.title)}`];
  const method = step.method === "" ? [] : [`${inner}method: ${JSON.stringify(step.method)}`];
  return [
    `${indent}${step.kind}${step.id === "" ? "" : ` ${step.id}`} {`,
    ...title,
    ...method,
    ...step.settings.map((one) => settingLine(one, inner)),
    ...step.blocks.flatMap((block) => blockLines(block, inner)),
    ...(step.compensation === undefined
      ? []
      : [`${inner}compensate {`, ...compensationLines(step.compensation, `${inner}  `), `${inner}}`]),
    `${indent}}`,
  ];
}

function compensationLines(step: DefinedStep, indent: string): readonly string[] {
  const method = step.method === "" ? [] : [`${indent}method: ${JSON.stringify(step.method)}`];
  return [
    ...method,
    ...step.settings.map((one) => settingLine(one, indent)),
    ...step.blocks.flatMap((block) => block.steps.flatMap((one) => stepLines(one, indent))),
  ];
}

function blockLines({ role, label, steps }: DefinedBlock, indent: string): readonly string[] {
  if (role === "BODY") return steps.flatMap((step) => stepLines(step, indent));
  const name = role.toLowerCase();
  const condition = label === "" || label === name.replace("on_", "") || role === "DEFAULT" ? "" : ` '${label}'`;
  return [`${indent}${name}${condition} {`, ...steps.flatMap((step) => stepLines(step, `${indent}  `)), `${indent}}`];
}

function settingLine({ name, text, expression }: Setting, indent: string): string {
  const shown = text.replaceAll(/\s+/g, " ");
  return `${indent}${name}: ${expression ? `'${shown}'` : shown}`;
}
