import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { throughSnapshot } from "../../../orchestrator/src/engine/testing/snapshot.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { engine } from "../engine.ts";
import type { Engine } from "../engine.ts";
import { simulate } from "./simulate.ts";

const seeds = 40;

function sameAs(found: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(found, wanted)) expect(found).toEqual(wanted);
}

/** Beside each state goes one that is written and read as a snapshot after each record; both must decide the same. */
function withShadows(): Engine {
  const shadows = new WeakMap<RunState, RunState>();
  return {
    ...engine,
    advance: (plan, state, record) => {
      const shadow = shadows.get(state);
      const turn = engine.advance(plan, state, record);
      if (shadow !== undefined) sameAs(engine.advance(plan, shadow, record), turn);
      const again = throughSnapshot(plan, state);
      sameAs(again, state);
      if (again !== state) shadows.set(state, again);
      return turn;
    },
  };
}

test(
  `a snapshot after each record of ${seeds} random days is what was folded, and decides the same`,
  { timeout: 300_000 },
  () => {
    const shadowed = withShadows();
    for (let seed = 1; seed <= seeds; seed++) expect(simulate(seed, shadowed).violations).toEqual([]);
  },
);
