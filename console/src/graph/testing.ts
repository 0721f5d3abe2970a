import type { DefinedBlock, DefinedStep, Role } from "./definition.ts";

/** A step of a definition, for tests. */
export function makeStep(kind: string, name: string, more: Partial<DefinedStep> = {}): DefinedStep {
  return {
    name,
    id: name,
    title: "",
    kind,
    method: "",
    requestType: "",
    resultType: "",
    settings: [],
    blocks: [],
    compensation: undefined,
    ...more,
  };
}

/** A block of steps, for tests. */
export function makeBlock(role: Role, steps: readonly DefinedStep[], label = ""): DefinedBlock {
  return { role, label, steps };
}
