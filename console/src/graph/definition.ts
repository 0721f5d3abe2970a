/** How a block stands in its step; as sidestep.v1.DefinedBlock.Role. */
export type Role = "BODY" | "CASE" | "DEFAULT" | "BRANCH" | "CATCH" | "FINALLY" | "ON_TIMEOUT" | "ON_REJECT";

/** One line of a definition. */
export interface Setting {
  readonly name: string;
  readonly text: string;
  /** The text is CEL. */
  readonly expression: boolean;
}

/** A step as it was written: sidestep.v1.DefinedStep. */
export interface DefinedStep {
  readonly name: string;
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly method: string;
  readonly requestType: string;
  readonly resultType: string;
  readonly settings: readonly Setting[];
  readonly blocks: readonly DefinedBlock[];
  readonly compensation: DefinedStep | undefined;
}

/** Steps inside a step. */
export interface DefinedBlock {
  readonly role: Role;
  readonly label: string;
  readonly steps: readonly DefinedStep[];
}

/** Every step of a definition in the order of the document, those of compensations behind their step. */
export function allSteps(steps: readonly DefinedStep[]): readonly DefinedStep[] {
  return steps.flatMap((step) => [
    step,
    ...step.blocks.flatMap((block) => allSteps(block.steps)),
    ...(step.compensation?.blocks.flatMap((block) => allSteps(block.steps)) ?? []),
  ]);
}

/** What a step is called where there is little room. */
export function shownName(step: DefinedStep): string {
  if (step.title !== "") return step.title;
  if (step.id !== "") return step.id;
  return step.method === "" ? step.kind.replaceAll("_", " ") : shortMethod(step.method);
}

/** "Reserve" of "inventory.v1.InventoryService/Reserve". */
export function shortMethod(method: string): string {
  return method.slice(method.lastIndexOf("/") + 1);
}

/** "InventoryService/Reserve" of "inventory.v1.InventoryService/Reserve". */
export function mediumMethod(method: string): string {
  const service = method.slice(0, method.lastIndexOf("/"));
  return `${service.slice(service.lastIndexOf(".") + 1)}/${shortMethod(method)}`;
}
