import type {
  DefinitionEntry,
  DefinitionIndex,
  DefinitionVersion,
} from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { DeployedWorkflow_Change } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { DeployedWorkflow } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";

/** A compiled workflow by its hashes. */
export interface Candidate {
  readonly workflow: string;
  readonly requestType: string;
  readonly responseType: string;
  readonly methods: readonly string[];
  readonly attributes: readonly string[];
  readonly signalMethods: readonly string[];
  readonly queryMethods: readonly string[];
  readonly streaming: boolean;
  /** Names. */
  readonly triggers: readonly string[];
  readonly contentHash: Uint8Array;
  readonly planHash: Uint8Array;
  readonly contractHash: Uint8Array;
}

export interface Deployment {
  /** The index as it is to be; the very one that was given when nothing changes. */
  readonly index: DefinitionIndex;
  /** In the order of their names. */
  readonly workflows: readonly DeployedWorkflow[];
}

/**
 * What a deploy makes of the index: versions count 1, 2, 3; known content becomes active again; what is gone from a service of the
 * image is retired; services outside the image stay as they are.
 */
export function deployInto(
  before: DefinitionIndex,
  candidates: readonly Candidate[],
  services: readonly string[],
  nowMs: number,
): Deployment {
  const entries = new Map(before.workflow.map((entry) => [entry.workflow, entry]));
  const told: DeployedWorkflow[] = [];
  const tell = (workflow: string, version: number, change: DeployedWorkflow_Change): void =>
    void told.push({ workflow, version, change });
  for (const candidate of candidates) {
    const entry = entries.get(candidate.workflow);
    const { next, version, change } = withCandidate(entry, candidate, nowMs);
    entries.set(candidate.workflow, next);
    tell(candidate.workflow, version, change);
  }
  const kept = new Set(candidates.map(({ workflow }) => workflow));
  const inImage = new Set(services);
  for (const entry of before.workflow) {
    if (entry.activeVersion === 0 || kept.has(entry.workflow) || !inImage.has(splitMethod(entry.workflow).service))
      continue;
    entries.set(entry.workflow, { ...entry, activeVersion: 0 });
    tell(entry.workflow, entry.activeVersion, DeployedWorkflow_Change.RETIRED);
  }
  const isSame =
    before.workflow.length === entries.size && before.workflow.every((one) => entries.get(one.workflow) === one);
  return {
    index: isSame ? before : { workflow: [...entries.values()].toSorted(byName) },
    workflows: told.toSorted(byName),
  };
}

interface Placed {
  readonly next: DefinitionEntry;
  readonly version: number;
  readonly change: DeployedWorkflow_Change;
}

function withCandidate(entry: DefinitionEntry | undefined, candidate: Candidate, nowMs: number): Placed {
  const { workflow, requestType, responseType, contractHash, streaming } = candidate;
  const signalMethods = [...candidate.signalMethods];
  const queryMethods = [...candidate.queryMethods];
  const shown = { workflow, requestType, responseType, contractHash, signalMethods, queryMethods, streaming };
  const known = entry?.version.find(({ contentHash }) => sameBytes(contentHash, candidate.contentHash));
  if (entry === undefined || known === undefined) {
    const number = Math.max(0, ...(entry?.version.map((one) => one.number) ?? [])) + 1;
    const { contentHash, planHash } = candidate;
    const [methods, triggers] = [[...candidate.methods], [...candidate.triggers]];
    const version: DefinitionVersion = {
      number,
      contentHash,
      planHash,
      methods,
      attributes: [...candidate.attributes],
      triggers,
      deployedAtMs: nowMs,
    };
    return {
      next: { ...shown, activeVersion: number, version: [...(entry?.version ?? []), version] },
      version: number,
      change: entry === undefined ? DeployedWorkflow_Change.ADDED : DeployedWorkflow_Change.UPDATED,
    };
  }
  if (entry.activeVersion !== known.number) {
    const next = { ...entry, ...shown, activeVersion: known.number };
    return { next, version: known.number, change: DeployedWorkflow_Change.REACTIVATED };
  }
  const next = sameBytes(entry.contractHash, contractHash) ? entry : { ...entry, ...shown };
  return { next, version: known.number, change: DeployedWorkflow_Change.UNCHANGED };
}

function byName(a: { readonly workflow: string }, b: { readonly workflow: string }): number {
  return a.workflow < b.workflow ? -1 : a.workflow > b.workflow ? 1 : 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
