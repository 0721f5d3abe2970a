import type { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { callsOf, differencesOfCall } from "../compile/contract/calls.ts";
import type { PlannedCalls } from "../compile/contract/calls.ts";
import type { Contract } from "../compile/contract/contract.ts";
import type { Difference } from "../compile/contract/differences.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { toTexts } from "./breaking.ts";
import type { LiveContracts } from "./liveContracts.ts";

/** Whether services that run fit what plans call. */
export interface Drift extends Disposable {
  /**
   * Why no service that runs fits the call of a step: there are some, all of them say what they are, and none fits. Undefined: one does, or
   * nobody can tell. Costs a comparison while nothing changes.
   */
  reasonFor(plan: LoadedPlan, method: string, path: string): string | undefined;
  /** Whether one that describes itself by this payload fits; unread: it soon is. What can't be read fits. */
  standing(plan: LoadedPlan, method: string, path: string, contract: string): "fits" | "misfits" | "unread";
  /** Called when something that did not fit may fit now. Returns how to stop that. */
  onRelease(listener: () => void): () => void;
}

/** Nothing is compared, and everything fits. */
export const noDrift: Drift = {
  reasonFor: () => undefined,
  standing: () => "fits",
  onRelease: () => () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** Calls that are known not to fit, beyond which every change is told. */
const driftingMax = 1_000;

interface Known {
  readonly revision: number;
  readonly reason: string | undefined;
}

/** Compares as services come and go. */
export function openDrift(live: LiveContracts): Drift {
  const plans = new WeakMap<Plan, { readonly calls: PlannedCalls; readonly known: Map<string, Known> }>();
  const drifting = new Map<string, () => boolean>();
  const listeners = new Set<() => void>();
  const partsOf = (plan: Plan) => {
    const parts = plans.get(plan) ?? { calls: callsOf(plan), known: new Map<string, Known>() };
    plans.set(plan, parts);
    return parts;
  };
  const compared = ({ calls }: { calls: PlannedCalls }, method: string, name: string, there: Contract) =>
    differencesAt(calls, method, name, there);
  const reasonFor = ({ plan }: LoadedPlan, method: string, path: string): string | undefined => {
    const name = nameIn(path);
    const parts = partsOf(plan);
    const key = `${method} ${name}`;
    const revision = live.revision();
    const known = parts.known.get(key);
    if (known?.revision === revision) return known.reason;
    const offers = live.of(splitMethod(method).service) ?? [];
    const misfits = offers.map(({ contract, sidecars }) => ({
      sidecars,
      differences: compared(parts, method, name, contract),
    }));
    const isHeld = misfits.length > 0 && misfits.every(({ differences }) => differences.length > 0);
    const reason = isHeld ? toReason(method, misfits) : undefined;
    parts.known.set(key, { revision, reason });
    return reason;
  };
  const stop = live.onChange(() => {
    const isFull = drifting.size >= driftingMax;
    const ended = [...drifting].filter(([, isStill]) => !isStill()).map(([key]) => key);
    for (const key of ended) drifting.delete(key);
    if (isFull) drifting.clear();
    if (ended.length > 0 || isFull) for (const listener of listeners) listener();
  });
  return {
    reasonFor: (loaded, method, path) => {
      const reason = reasonFor(loaded, method, path);
      if (reason !== undefined && drifting.size < driftingMax) {
        const { workflow } = loaded.plan;
        drifting.set(
          `${workflow} ${method} ${nameIn(path)} ${loaded.plan.stepCount}`,
          () => reasonFor(loaded, method, path) !== undefined,
        );
      }
      return reason;
    },
    standing: ({ plan }, method, path, contract) => {
      const read = live.byId(splitMethod(method).service, contract);
      if (read === "unread") return "unread";
      if (read === "none") return "fits";
      return compared(partsOf(plan), method, nameIn(path), read).length > 0 ? "misfits" : "fits";
    },
    onRelease: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: stop,
  };
}

/** The step's name in the plan. */
function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of the calls of a method those of the step; where none has its name, all. */
function differencesAt(calls: PlannedCalls, method: string, name: string, there: Contract): readonly Difference[] {
  const ofMethod = calls.calls.filter((one) => one.method === method);
  const named = ofMethod.filter(({ step }) => step === name);
  return (named.length > 0 ? named : ofMethod).flatMap((call) => differencesOfCall(calls, call, there));
}

function toReason(
  method: string,
  misfits: readonly { readonly sidecars: readonly string[]; readonly differences: readonly Difference[] }[],
): string {
  const texts = misfits.map(
    ({ sidecars, differences }) => `beside ${sidecars.join(", ")}: ${toTexts(differences).join("; ")}`,
  );
  return `drift: ${method} as it runs does not fit, ${texts.join("; ")}`.slice(0, reasonLengthMax);
}

const reasonLengthMax = 1_000;
