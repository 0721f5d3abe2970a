import { Run_State } from "../../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../../proto/wire/status.ts";

/** What a filter may ask of a run besides its attributes, and what it is compared with. */
export const runFields = {
  id: "text",
  workflow: "text",
  version: "number",
  key: "text",
  state: "state",
  held: "bool",
  started: "time",
  ended: "time",
  deadline: "time",
  code: "code",
  step: "text",
  message: "text",
  parent: "text",
  incidents: "number",
  approvals: "number",
} as const;

/** A field of a run. */
export type RunFieldName = keyof typeof runFields;

/** What a field is compared with; an attribute's values show by themselves what they are. */
export type FieldKind = (typeof runFields)[RunFieldName] | "any";

/** Is it the name of a field? */
export function isFieldName(name: string): name is RunFieldName {
  return Object.hasOwn(runFields, name);
}

/** States and codes by the names that a filter may write. */
export const namedNumbers: Readonly<Record<"state" | "code", ReadonlyMap<string, number>>> = {
  state: new Map(
    Object.entries(Run_State).flatMap(([name, value]) =>
      typeof value === "number" && value !== Run_State.STATE_UNSPECIFIED && name !== "UNRECOGNIZED"
        ? [[name, value] as const]
        : [],
    ),
  ),
  code: new Map(Object.entries(code)),
};
