import type { JsonValue } from "@bufbuild/protobuf";

/** How a call fails: each attempt of it. */
export const faultClasses = ["refused", "doubt", "final"] as const;
/**
 * refused: ABORTED, certainly not carried out, and tried again as often as the step says. doubt: carried out, and nobody hears of it.
 * final: FAILED_PRECONDITION, the service's own answer.
 */
export type FaultClass = (typeof faultClasses)[number];

/** One run of a sweep: what differs from a run in which all goes well. */
export interface SweepCase {
  /** Values of fields by "input.field", "<step>.field" (its call's answer, or its signal's payload) or "answer.<step>.field" (what verifies it). */
  readonly set: ReadonlyMap<string, JsonValue>;
  /** By site: "charge", "undo charge", "labels[0]/label". */
  readonly fail: ReadonlyMap<string, FaultClass>;
  /** Calls that are under way together end in the order in which they began, or the other way round. */
  readonly order: "begun" | "reversed";
  /** Those who are asked: they answer and approve, reject, or say nothing. */
  readonly people: "answer" | "reject" | "silent";
}

/** All goes well. */
export const plainCase: SweepCase = { set: new Map(), fail: new Map(), order: "begun", people: "answer" };

/** How far a case is from the plain one. */
export function sizeOf({ set, fail, order, people }: SweepCase): number {
  return set.size + 2 * fail.size + (order === "begun" ? 0 : 1) + (people === "answer" ? 0 : 1);
}

/** A case as --case takes it: JSON. */
export function caseText({ set, fail, order, people }: SweepCase): string {
  return JSON.stringify({
    ...(set.size === 0 ? {} : { set: Object.fromEntries(set) }),
    ...(fail.size === 0 ? {} : { fail: Object.fromEntries(fail) }),
    ...(order === "begun" ? {} : { order }),
    ...(people === "answer" ? {} : { people }),
  });
}

/** Reads what caseText wrote; a text says what is wrong with it. */
export function parseCase(text: string): SweepCase | string {
  const json = parseJson(text);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return "it is no JSON object";
  const unknown = Object.keys(json).find((name) => !["set", "fail", "order", "people"].includes(name));
  if (unknown !== undefined) return `it has an unknown key '${unknown}'`;
  const { set, fail, order, people } = json;
  const faults = new Map<string, FaultClass>();
  for (const [site, given] of Object.entries(fail ?? {})) {
    const known = faultClasses.find((one) => one === given);
    if (known === undefined) return `${site} fails as ${faultClasses.join(", ")}`;
    faults.set(site, known);
  }
  return {
    set: new Map(Object.entries(set ?? {})),
    fail: faults,
    order: order === "reversed" ? "reversed" : "begun",
    people: people === "reject" || people === "silent" ? people : "answer",
  };
}

function parseJson(text: string): JsonValue | undefined {
  try {
    const json: JsonValue = JSON.parse(text);
    return json;
  } catch {
    return undefined;
  }
}
