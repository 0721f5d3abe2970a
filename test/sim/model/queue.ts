import type { PublishTask } from "../../../orchestrator/src/engine/command.ts";
import { openDedupe, strikes, wireMs } from "./world.ts";
import type { World } from "./world.ts";

/** A task in the work queue. */
export interface QueuedTask {
  readonly runId: string;
  readonly id: string;
  readonly task: PublishTask;
  readonly recheck: boolean;
  readonly storedAt: number;
  deliveries: number;
  isAcked: boolean;
  /** Until then nobody else gets it. */
  heldUntil: number;
  /** The server forgot how often it had delivered it; who is delivered it sees that by the age of the connection. */
  isForgotten: boolean;
}

export interface SimQueue {
  readonly tasks: readonly QueuedTask[];
  /** Stored under its id, once as long as that is remembered. */
  store(runId: string, id: string, task: PublishTask, recheck: boolean): void;
  /** Called with each delivery; answers false when nobody is there to take it. */
  onDelivery(take: (task: QueuedTask, delivery: number) => boolean): void;
  extend(task: QueuedTask): void;
  nak(task: QueuedTask, delayMs: number): void;
  ack(task: QueuedTask): void;
}

export const ackWaitMs = 3_000;

export function openQueue(world: World): SimQueue {
  const { clock, faults } = world;
  const tasks: QueuedTask[] = [];
  const isDouble = openDedupe(world);
  let take: (task: QueuedTask, delivery: number) => boolean = () => false;
  const wait = (queued: QueuedTask, untilMs: number): void => {
    queued.heldUntil = untilMs;
    clock.after(untilMs - clock.now, () => {
      // Extended or given back since: another waiter is due.
      if (queued.heldUntil === untilMs) deliver(queued);
    });
  };
  const deliver = (queued: QueuedTask): void => {
    if (queued.isAcked) return;
    if (queued.deliveries > 0 && faults.forgets && strikes(world, 0.1)) {
      queued.deliveries = 0;
      queued.isForgotten = true;
    }
    queued.deliveries += 1;
    wait(queued, clock.now + ackWaitMs);
    if (take(queued, queued.deliveries)) return;
    queued.deliveries -= 1;
    wait(queued, clock.now + 200);
  };
  return {
    tasks,
    store(runId, id, task, recheck) {
      if (isDouble(id)) return;
      const queued: QueuedTask = {
        runId,
        id,
        task,
        recheck,
        storedAt: clock.now,
        deliveries: 0,
        isAcked: false,
        heldUntil: 0,
        isForgotten: false,
      };
      tasks.push(queued);
      clock.after(wireMs(world), () => deliver(queued));
    },
    onDelivery(taker) {
      take = taker;
    },
    extend(task) {
      wait(task, clock.now + ackWaitMs);
    },
    nak(task, delayMs) {
      wait(task, clock.now + delayMs);
    },
    ack(task) {
      task.isAcked = true;
    },
  };
}
