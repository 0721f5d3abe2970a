import type { EventMessage } from "../engine/event/content.ts";
import type { EventStreams } from "./eventStreams.ts";
import type { Workflows } from "./ports.ts";
import type { TriggerStore } from "./triggerStore.ts";

/** Messages for triggers that come by HTTP. */
export interface EventHooks {
  /** `metadata`: headers that the workflow keeps. Undefined: there is no such trigger, or none any more. Rejects when nobody can say. */
  find(trigger: string): Promise<{ readonly metadata: readonly string[] } | undefined>;
  /** Stores it, for the trigger alone; the same id is one event. */
  put(trigger: string, id: string, message: EventMessage): ReturnType<EventStreams["putHook"]>;
}

/** Over what has been heard of triggers. One that is paused, or blocked, takes what comes by HTTP, too. */
export function toEventHooks(
  store: Pick<TriggerStore, "heard">,
  streams: Pick<EventStreams, "putHook">,
  workflows: Pick<Workflows, "active">,
): EventHooks {
  return {
    find: async (trigger) => {
      const record = store.heard(trigger)?.record;
      if (record === undefined || record.retiredMs !== undefined) return undefined;
      if (record.unfed) throw new Error(record.blocked);
      const active = await workflows.active(record.workflow);
      return active && { metadata: active.plan.plan.metadata };
    },
    put: (trigger, id, message) => streams.putHook(trigger, id, message),
  };
}
