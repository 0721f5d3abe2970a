import type { Hold } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { ExplainRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { Waiting_Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { lockId } from "../../../proto/wire/lockId.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { fittingActions } from "../engine/fitting.ts";
import { advanceLock, resumeLock } from "../engine/lock.ts";
import { waitsOf } from "../engine/waits.ts";
import { explain } from "../projection/explain.ts";
import { toFact } from "./fact.ts";
import type { Elsewhere } from "./front.ts";
import type { HoldsGround } from "./holds.ts";
import type { Folded, InspectGround } from "./inspect.ts";

/** A step in the queue of a lock. */
interface LockPlace {
  readonly runId: string;
  readonly step: string;
}

/** Each lock is a log of its own to read. */
const locksLookedAt = 8;

/** What a run waits for, with what the holds, the locks and others say about it. Throws when NATS does not answer. */
export async function explainRun(
  ground: InspectGround & HoldsGround,
  { plan, state }: Pick<Folded, "plan" | "state">,
  elsewhere: Elsewhere,
): Promise<ExplainRunResponse> {
  const waits = waitsOf(plan, state);
  const locks = new Set(waits.flatMap(({ kind, lock }) => (kind === Waiting_Kind.LOCK ? [lock] : [])));
  const looked = [...locks].slice(0, locksLookedAt);
  const queues = new Map(await Promise.all(looked.map(async (lock) => [lock, await readQueue(ground, lock)] as const)));
  const { hold } = waits.length === 0 ? { hold: [] } : (await ground.holds.read()).holds;
  const workflow = state.started?.workflow ?? plan.plan.workflow;
  const { sentence, waiting, more } = explain(waits, {
    ...elsewhere,
    driftOf: (method, path) => elsewhere.driftOf(plan, method, path),
    holdOf: (method) => holdOf(hold, workflow, method),
    queueOf: (lock, step) => placeIn(queues.get(lock) ?? [], state.runId, step),
  });
  return { sentence, waiting: [...waiting], more, actions: fittingActions(plan, state) };
}

async function readQueue({ layouts, logOf, credentials }: InspectGround, lock: string): Promise<readonly LockPlace[]> {
  const id = lockId(layouts, lock);
  const partition = partitionOf(layouts, id);
  if (partition === undefined) return [];
  const facts = (await logOf(partition).load(id)).map((message) => toFact(message, credentials));
  const { state, records } = resumeLock(facts.flatMap((fact) => (fact.kind === "record" ? [fact.record] : [])));
  for (const record of records) advanceLock(state, record);
  return [...state.queue.values()].map(({ runId, step }) => ({ runId: toHex(runId), step: step?.step ?? "" }));
}

/** The first has it. */
function placeIn(
  queue: readonly LockPlace[],
  runId: string,
  step: string,
): (LockPlace & { readonly place: number }) | undefined {
  const [first] = queue;
  const place = queue.findIndex((one) => one.runId === runId && one.step === step);
  return first === undefined || place < 1 ? undefined : { ...first, place };
}

function holdOf(holds: readonly Hold[], workflow: string, method: string): Hold | undefined {
  const names = { workflow, method, service: splitMethod(method).service };
  return holds.find(({ target }) => target !== undefined && names[target.$case] === target.value);
}
