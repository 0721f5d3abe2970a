import type { Subscription } from "@nats-io/nats-core";
import { Asked } from "../core/asked.ts";

/** Where requests of a rank are answered. */
export type Way = { readonly inbox: string; readonly subscription: Subscription };

/**
 * Requests of some seconds, and where they are answered, by rank: nothing else tells of a task which request it answers, and one that is served late may not be
 * the best of those made since.
 */
export class Requests {
  readonly asked = new Asked();
  readonly ways = new Map<number, Way>();
  readonly bornAtMs = performance.now();

  /** The same, once the server knows it and what is on its way has been taken. */
  async drain(): Promise<void> {
    await Promise.allSettled(Array.from(this.ways.values(), ({ subscription }) => subscription.drain()));
  }

  /** Nothing more is taken of what they bring. */
  unsubscribe(): void {
    for (const { subscription } of this.ways.values()) subscription.unsubscribe();
    this.ways.clear();
  }
}
