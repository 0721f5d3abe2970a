import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { JournalEntry } from "../support/orderServices.ts";
import type { Story } from "./stories.ts";

/** What is known of one order once its run has ended. */
export interface Played {
  readonly orderId: string;
  /** Runs that the caller was told of, over all his calls. */
  readonly runIds: ReadonlySet<string>;
  /** The run's state, as the orchestrator tells it. */
  readonly state: Run_State | undefined;
  /** The journals of all services, whole. */
  readonly journal: readonly JournalEntry[];
}

/** Methods that do something forward; all others undo. */
const forward = new Set(["Reserve", "Charge", "Label", "Ship"]);

/** Where an order is not as it would be without a death, one sentence each. */
export function judge(story: Story, { orderId, runIds, state, journal }: Played): readonly string[] {
  const effects = journal.filter((it) => it.order === orderId && it.outcome === "effect");
  const wrong: string[] = [];
  if (runIds.size !== 1) wrong.push(`${runIds.size} runs`);
  if (state !== story.state) wrong.push(`state ${toName(state)}, expected ${toName(story.state)}`);
  const wanted = [...story.done, ...story.undone];
  for (const method of wanted) {
    const count = effects.filter((it) => it.method === method).length;
    if (count !== 1) wrong.push(`${method} has ${count} effects`);
  }
  const known = new Set([...wanted, ...story.mayUndo]);
  for (const { method } of effects) if (!known.has(method)) wrong.push(`${method} has an effect`);
  for (const method of story.mayUndo)
    if (effects.filter((it) => it.method === method).length > 1) wrong.push(`${method} undid more than once`);
  if (effects.some((it) => it.key === "")) wrong.push("an effect without an idempotency key");
  if (new Set(effects.map((it) => `${it.method} ${it.key}`)).size !== effects.length)
    wrong.push("two effects of one idempotency key");
  const done = effects.filter((it) => forward.has(it.method));
  const undone = effects.filter((it) => !forward.has(it.method));
  if (done.some((it) => undone.some((undo) => undo.time < it.time))) wrong.push("done after something was undone");
  for (const order of [story.done, story.undone]) wrong.push(...findSwapped(order, effects));
  return wrong.map((it) => `${orderId}: ${it}`);
}

/** Neighbours that came the other way round; the journals' clocks count milliseconds of one machine. */
function findSwapped(order: readonly string[], effects: readonly JournalEntry[]): readonly string[] {
  return order.flatMap((method, index) => {
    const next = order[index + 1];
    const times = effects.filter((it) => it.method === method).map((it) => it.time);
    const isSwapped = effects.some((it) => it.method === next && times.some((time) => it.time < time));
    return isSwapped ? [`${next} came before ${method}`] : [];
  });
}

function toName(state: Run_State | undefined): string {
  const found = Object.entries(Run_State).find(([, value]) => value === state);
  return found?.[0] ?? "unknown";
}
