import type { DeleteRequested } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Front } from "../processor/front.ts";
import type { RunStore } from "../processor/runStore.ts";
import { steer } from "./steering.ts";
import { done } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Has an ended run deleted; of one that only the archive has, what that has. `store` undefined: there is no index. */
export async function deleteRun(
  runId: RunId,
  event: DeleteRequested,
  { front, store }: { readonly front: Front; readonly store: Pick<RunStore, "remove"> | undefined },
): Promise<Answered<object>> {
  const asked = await steer(runId, { kind: "delete", event }, { front });
  if (asked.kind === "answer" || asked.failure.reason !== "RUN_NOT_FOUND") return asked;
  return (await store?.remove(runId)) === true ? done({}) : asked;
}
