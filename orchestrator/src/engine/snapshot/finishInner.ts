import type {
  RunSnapshot_Inner as StoredInner,
  RunSnapshot_Value as StoredValue,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { KeptValue } from "../expression/result.ts";
import { openKeptList } from "../keptList.ts";
import type { Inner, Progress } from "../live.ts";
import { broken, required } from "./broken.ts";
import { stages } from "./codes.ts";
import { toFailure } from "./rebuild.ts";
import type { Parts } from "./rebuild.ts";

/** Gives the blocks of a step their frames, their values, and how far they are. */
export function finishInner(parts: Parts, inner: Inner, stored: StoredInner): void {
  for (const place of stored.frames) {
    const frame = required(parts.frame(place), "a block");
    inner.frames.set(frame.slot, frame);
  }
  inner.entered = stored.entered;
  inner.done = stored.done;
  inner.failed = stored.failed;
  for (const { slot, value } of stored.results) inner.results.set(slot, toKept(parts, value));
  inner.failure = toFailure(stored.failure);
  inner.isStopping = stored.isStopping;
  inner.progress = toProgress(parts, stored.progress);
}

function toProgress(parts: Parts, stored: StoredInner["progress"]): Progress | undefined {
  switch (stored?.$case) {
    case undefined:
      return undefined;
    case "forEach": {
      const { list, next, resultBytes } = stored.value;
      return { kind: "forEach", list: openKeptList(toKept(parts, list), parts.plan.registry), next, resultBytes };
    }
    case "loop": {
      const { passes, carries, collects, collected, resultBytes, last } = stored.value;
      return {
        kind: "loop",
        passes,
        carries: carries.map((value) => toKept(parts, value)),
        collected: collects ? collected.map((value) => toKept(parts, value)) : undefined,
        resultBytes,
        last: parts.scope(last),
      };
    }
    case "try": {
      const { stage, failure, result } = stored.value;
      return {
        kind: "try",
        stage: stages.get(stage) ?? broken(`the stage ${stage} of a try is unknown`),
        failure: toFailure(failure),
        result: parts.value(result),
      };
    }
  }
}

function toKept(parts: Parts, stored: StoredValue | undefined): KeptValue {
  return required(parts.value(stored), "a value");
}
