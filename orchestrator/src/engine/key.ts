import type { Bindings } from "./expression/bindings.ts";
import { evaluateString } from "./expression/evaluate.ts";
import type { LoadedPlan } from "./plan.ts";

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
  const bindings: Bindings = {
    variable: (name) => (name === "input" ? request : undefined),
    step: () => undefined,
    run: undefined,
    now: undefined,
    metadata,
  };
  const evaluated = evaluateString(plan.key.expression, bindings);
  if (evaluated.kind === "failed") return { kind: "failed", message: `${plan.key.place}: ${evaluated.message}` };
  if (evaluated.value === "") return { kind: "failed", message: `${plan.key.place}: the key is empty` };
  return { kind: "key", key: evaluated.value };
}
