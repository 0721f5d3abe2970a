import { evaluateKept } from "./expression/evaluate.ts";
import { bindingsOf, budgetOf } from "./evaluate.ts";
import type { QueryPlan } from "./plan.ts";
import type { RunState } from "./state.ts";

/** What a question about a run comes to. */
export type QueryResult =
  | { readonly kind: "response"; readonly response: Uint8Array }
  /** Its expression fails by value: it reads what is not there yet, an index is out of range, a limit is met. */
  | { readonly kind: "failed"; readonly message: string };

/** Answers a question from a run's variables as they stand; changes nothing. `request` is the query rpc's. */
export function evaluateQuery(state: RunState, query: QueryPlan, request: Uint8Array): QueryResult {
  const { body } = state;
  if (body === undefined) return { kind: "failed", message: "the run has not begun" };
  const place = { state, scope: body.scope, step: "" };
  const bindings = bindingsOf(place);
  const evaluated = evaluateKept(
    query.output.expression,
    {
      variable: (name) => (name === "query" ? request : bindings.variable(name)),
      step: (id) => bindings.step(id),
      run: bindings.run,
      now: bindings.now,
      metadata: bindings.metadata,
    },
    budgetOf(place),
  );
  if (evaluated.kind === "value") return { kind: "response", response: evaluated.value.bytes };
  return { kind: "failed", message: `${query.output.place}: ${evaluated.message}` };
}
