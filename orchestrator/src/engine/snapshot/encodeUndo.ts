import type {
  RunSnapshot_Undoing as StoredUndoing,
  RunSnapshot_UndoScope as StoredUndoScope,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { Undoing, UndoScope } from "../live.ts";
import { undoCodes } from "./codes.ts";
import { toFailure } from "./parts.ts";
import type { Whole } from "./parts.ts";
import type { AllPlaces } from "./places.ts";

/** What is left to undo inside a step, or in the run. */
export function toUndoScope(scope: UndoScope, { steps, undoScopes }: AllPlaces): StoredUndoScope {
  return {
    parent: undoScopes.of(scope.parent),
    step: scope.step,
    isTry: scope.isTry,
    steps: scope.steps.map((step) => steps.of(step)),
    state: undoCodes[scope.state],
    attempts: scope.attempts,
    waiting: [...scope.waiting].map((step) => steps.of(step)),
    open: [...scope.open.values()].map((inner) => undoScopes.of(inner)),
  } satisfies Whole<StoredUndoScope>;
}

/** Steps that are being undone. */
export function toUndoing(undoing: Undoing, { steps }: AllPlaces): StoredUndoing {
  return {
    waiting: undoing.waiting.map((step) => steps.of(step)),
    open: undoing.open,
    owner: steps.of(undoing.owner),
    hasBegun: undoing.hasBegun,
    isStopping: undoing.isStopping,
    failure: toFailure(undoing.failure),
  } satisfies Whole<StoredUndoing>;
}
