import type { Bindings } from "./expression/bindings.ts";
import { evaluateKept, evaluateString } from "./expression/evaluate.ts";
import type { LoadedPlan, PlannedExpression } from "./plan.ts";

/** What a start is known by. */
export type Key =
  | { readonly kind: "key"; readonly key: string }
  /** The workflow has no key: the caller's idempotency-key header, else a new run. */
  | { readonly kind: "none" }
  /** The expression fails for this request, or yields an empty text. */
  | { readonly kind: "failed"; readonly message: string };

/** The key of a request; `metadata` has the caller's headers, lower case. */
export function evaluateKey(plan: LoadedPlan, request: Uint8Array, metadata: ReadonlyMap<string, string>): Key {
  if (plan.key === undefined) return { kind: "none" };
  return keyOf(plan.key, request, metadata);
}

/** The key that an rpc's request gives, of the run that a signal or a query is for. */
export function evaluateInboundKey(key: PlannedExpression, request: Uint8Array): Exclude<Key, { kind: "none" }> {
  return keyOf(key, request, new Map());
}

/** The request that starts a run, built from a signal. */
export function evaluateStart(
  start: PlannedExpression,
  signal: Uint8Array,
): { readonly kind: "request"; readonly request: Uint8Array } | { readonly kind: "failed"; readonly message: string } {
  const evaluated = evaluateKept(start.expression, bindingsOf(signal, new Map()));
  if (evaluated.kind === "value") return { kind: "request", request: evaluated.value.bytes };
  return { kind: "failed", message: `${start.place}: ${evaluated.message}` };
}

function keyOf(
  { expression, place }: PlannedExpression,
  request: Uint8Array,
  metadata: ReadonlyMap<string, string>,
): Exclude<Key, { kind: "none" }> {
  const evaluated = evaluateString(expression, bindingsOf(request, metadata));
  if (evaluated.kind === "failed") return { kind: "failed", message: `${place}: ${evaluated.message}` };
  if (evaluated.value === "") return { kind: "failed", message: `${place}: the key is empty` };
  return { kind: "key", key: evaluated.value };
}

/** An rpc's request before there is a run: nothing but `input`. */
function bindingsOf(request: Uint8Array, metadata: ReadonlyMap<string, string>): Bindings {
  return {
    variable: (name) => (name === "input" ? request : undefined),
    step: () => undefined,
    run: undefined,
    now: undefined,
    metadata,
  };
}
