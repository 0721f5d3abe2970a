import type { Trigger } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Definitions } from "./definitions.ts";

/** A trigger as its contract has it. */
export interface ActiveTrigger {
  readonly workflow: string;
  readonly trigger: Trigger;
}

/** What the active versions of all workflows are triggered by. */
export async function activeTriggers(
  definitions: Pick<Definitions, "list" | "active">,
): Promise<readonly ActiveTrigger[]> {
  const found: ActiveTrigger[] = [];
  for (const { workflow, activeVersion, version } of definitions.list()) {
    const isTriggered = version.some(({ number, triggers }) => number === activeVersion && triggers.length > 0);
    if (!isTriggered) continue;
    const active = await definitions.active(workflow);
    for (const { trigger } of active?.plan.triggers ?? []) found.push({ workflow, trigger });
  }
  return found;
}
