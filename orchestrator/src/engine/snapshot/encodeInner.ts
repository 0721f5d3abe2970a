import type {
  RunSnapshot_Inner as StoredInner,
  RunSnapshot_Value as StoredValue,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { KeptValue } from "../expression/result.ts";
import type { Inner } from "../live.ts";
import { stageCodes } from "./codes.ts";
import { toFailure, toSureValue, toValue } from "./parts.ts";
import type { Whole } from "./parts.ts";
import type { AllPlaces } from "./places.ts";

/** The blocks of a step. Between two turns none has ended that its step does not know of. */
export function toInner(inner: Inner, places: AllPlaces): StoredInner {
  return {
    frames: [...inner.frames.values()].map((frame) => places.frames.of(frame)),
    entered: inner.entered,
    done: inner.done,
    failed: inner.failed,
    results: [...inner.results].map(([slot, value]) => ({ slot, value: toValue(value, places) })),
    failure: toFailure(inner.failure),
    isStopping: inner.isStopping,
    undo: places.undoScopes.of(inner.undo),
    progress: toProgress(inner, places),
  } satisfies Whole<StoredInner>;
}

function toProgress({ progress }: Inner, places: AllPlaces): StoredInner["progress"] {
  const values = (kept: readonly KeptValue[]): StoredValue[] => kept.map((value) => toSureValue(value, places));
  switch (progress?.kind) {
    case undefined:
      return undefined;
    case "forEach": {
      const { list, next, resultBytes } = progress;
      return { $case: "forEach", value: { list: toValue(list.value, places), next, resultBytes } };
    }
    case "loop": {
      const { passes, carries, collected, resultBytes, last } = progress;
      return {
        $case: "loop",
        value: {
          passes,
          carries: values(carries),
          collects: collected !== undefined,
          collected: values(collected ?? []),
          resultBytes,
          last: places.scopes.of(last),
        },
      };
    }
    case "try": {
      const { stage, failure, result } = progress;
      return {
        $case: "try",
        value: { stage: stageCodes[stage], failure: toFailure(failure), result: toValue(result, places) },
      };
    }
  }
}
