import { BreakingChange_Kind as Kind } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { BreakingChange } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { PlannedCall } from "../compile/contract/calls.ts";
import type { Difference } from "../compile/contract/differences.ts";

/** A breaking change as it is told; what does not belong to its kind is empty. */
export type Break = Omit<BreakingChange, "sentence">;

/** Differences as they are told. */
export function toTexts(differences: readonly Difference[]): string[] {
  return differences.map(({ part, text }) => (part === "method" ? text : `${part}: ${text}`));
}

/** A break of a call. */
export function ofCall(
  kind: Kind,
  workflow: string,
  version: number,
  call: PlannedCall,
  differences: readonly Difference[],
): Break {
  const { step, isCompensation: compensation, method } = call;
  return { ...none, kind, workflow, version, step, compensation, method, differences: toTexts(differences) };
}

/** A break of those who call a workflow. */
export function ofClients(workflow: string, version: number, differences: readonly Difference[]): Break {
  return { ...none, kind: Kind.CLIENTS, workflow, version, method: workflow, differences: toTexts(differences) };
}

const none: Break = {
  kind: Kind.KIND_UNSPECIFIED,
  workflow: "",
  version: 0,
  step: "",
  compensation: false,
  method: "",
  differences: [],
  sidecars: [],
  runs: 0n,
  position: "",
  runIds: [],
};

/** The same with all of it in words. */
export function toBreakingChange(one: Break): BreakingChange {
  return { ...one, sentence: `${subjectOf(one)}: ${one.differences.join("; ")}` };
}

function subjectOf(one: Break): string {
  const { workflow, version, step, method } = one;
  const name = `v${version} of ${workflow}`;
  const call = one.compensation ? `the compensation of step ${step}` : `step ${step}`;
  switch (one.kind) {
    case Kind.CALLER:
      return `${name} stays, and ${call} calls ${method}`;
    case Kind.CLIENTS:
      return `whoever calls ${workflow} by its contract of v${version}`;
    case Kind.SERVICE:
      return `${method} as it runs beside ${one.sidecars.join(", ")} does not fit ${call} of ${name}`;
    case Kind.RUNS:
      return runsOf(one, call);
    case Kind.KIND_UNSPECIFIED:
    case Kind.UNRECOGNIZED:
      return name;
  }
}

function runsOf({ runs, version, workflow, position, step, compensation }: Break, call: string): string {
  const count = `${runs} ${runs === 1n ? "run" : "runs"} of v${version} of ${workflow}`;
  if (position === "") return `${count} may yet come to ${call}`;
  if (position === step && !compensation) return `${count} ${runs === 1n ? "stands" : "stand"} at ${call}`;
  return `${count} ${runs === 1n ? "waits" : "wait"} at step ${position}, before ${call}`;
}
