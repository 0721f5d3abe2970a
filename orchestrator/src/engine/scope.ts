import type { Scope } from "./live.ts";

/** What a place sees, and one variable more. Steps that begin in it are the place's own. */
export function withVariable(scope: Scope, name: string, value: Uint8Array): Scope {
  const { prefix, steps, begun } = scope;
  return {
    parent: scope,
    prefix,
    variables: new Map([[name, value]]),
    steps,
    sharesSteps: true,
    caught: undefined,
    begun,
  };
}
