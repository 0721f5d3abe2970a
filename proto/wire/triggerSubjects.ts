import { methodToken } from "./tokens.ts";

/** Names of what triggers by subjects need. */
export interface TriggerNames {
  readonly triggersBucket: string;
  /** What triggers wait for, as far as no stream of somebody else takes it in, and what comes over HTTP. */
  readonly eventsStream: string;
  /** What triggers can't take. */
  readonly parkedStream: string;
  /** Durable consumer of a trigger, "<workflow>/<trigger>", in whatever stream. */
  triggerConsumer(trigger: string): string;
  /** Where what comes over HTTP for a trigger is stored. */
  hookSubject(trigger: string): string;
  hookSubjects(): string;
  /** A message that a trigger has parked; `id` is one token. */
  parkedSubject(trigger: string, id: string): string;
  /** All of a trigger, or of all. */
  parkedOf(trigger: string): string;
  parkedSubjects(): string;
}

/** A trigger's name as one token: "shop.v1.Orders/Place/placed" is "shop-v1-Orders--Place--placed". Names of protobuf have no dash. */
export function triggerToken(trigger: string): string {
  const slash = trigger.lastIndexOf("/");
  return `${methodToken(trigger.slice(0, slash))}--${trigger.slice(slash + 1)}`;
}

/** Those under a prefix; `upper` is how it is in names of streams. */
export function triggerNames(prefix: string, upper: string): TriggerNames {
  return {
    triggersBucket: `${upper}_TRIGGERS`,
    eventsStream: `${upper}_EVENTS`,
    parkedStream: `${upper}_PARKED`,
    triggerConsumer: (trigger) => `${prefix}--${triggerToken(trigger)}`,
    hookSubject: (trigger) => `${prefix}.event.${triggerToken(trigger)}`,
    hookSubjects: () => `${prefix}.event.*`,
    parkedSubject: (trigger, id) => `${prefix}.parked.${triggerToken(trigger)}.${id}`,
    parkedOf: (trigger) => `${prefix}.parked.${triggerToken(trigger)}.*`,
    parkedSubjects: () => `${prefix}.parked.>`,
  };
}
