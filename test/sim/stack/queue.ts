import type { Link, Network } from "./network.ts";
import type { Process, Task } from "./scheduler.ts";
import type { World } from "./world.ts";

/** A message of the work queue. */
export interface QueuedTask {
  readonly sequence: number;
  readonly id: string;
  readonly body: Uint8Array;
  readonly storedMs: number;
  deliveries: number;
  isGone: boolean;
  /** Nobody else gets it before that. */
  heldUntilMs: number;
}

/** A request for tasks that the server may still serve. */
interface Pull {
  readonly link: Link;
  readonly generation: number;
  readonly expiresMs: number;
  left: number;
  readonly give: (task: QueuedTask, delivery: number) => void;
}

/** The work queue of one service and its consumer. */
export interface Queue {
  readonly tasks: readonly QueuedTask[];
  skewMs: number;
  /** Stored under its id, once as long as that is remembered. */
  store(id: string, body: Uint8Array): void;
  pull(pull: Omit<Pull, "generation" | "expiresMs">): void;
  /** Sequence up to which all has been delivered, when there is nothing to deliver now. */
  emptyUpTo(): number | undefined;
  hold(task: QueuedTask, forMs: number): void;
  remove(task: QueuedTask): void;
  /** The server has restarted: ids of acknowledged tasks and young delivery counts are gone; what was acknowledged last and not yet removed comes back. */
  forget(): void;
}

/** An unextended task is given to somebody else then. */
export const ackWaitMs = 7_000;
export const pullExpiresMs = 5_000;
/** Acknowledged tasks are removed by then. */
const sweptAfterMs = 2_000;

/** An empty queue. */
export function openQueue(world: World, network: Network): Queue {
  const { scheduler, random } = world;
  const tasks: QueuedTask[] = [];
  const ids = new Set<string>();
  let pulls: Pull[] = [];
  let last = 0;
  let lastDelivered = 0;
  const waiting = new Map<QueuedTask, Task>();
  let acknowledged: { readonly task: QueuedTask; readonly atMs: number }[] = [];

  const serve = (): void => {
    const { nowMs } = scheduler;
    pulls = pulls.filter((pull) => isOpen(pull, nowMs));
    for (const task of tasks) {
      if (pulls.length === 0) return;
      if (task.isGone || task.heldUntilMs > nowMs) continue;
      const pull = random.pick(pulls);
      pull.left -= 1;
      if (pull.left <= 0) pulls = pulls.filter((one) => one !== pull);
      task.deliveries += 1;
      lastDelivered = Math.max(lastDelivered, task.sequence);
      hold(task, ackWaitMs);
      const delivery = task.deliveries;
      network.deliver(pull.link, () => pull.give(task, delivery));
    }
  };
  const hold = (task: QueuedTask, forMs: number): void => {
    const before = waiting.get(task);
    if (before !== undefined) scheduler.cancel(before);
    task.heldUntilMs = scheduler.nowMs + forMs;
    waiting.set(task, scheduler.after(undefined, forMs, serve));
  };
  return {
    tasks,
    skewMs: 0,
    store(id, body) {
      if (ids.has(id)) return;
      ids.add(id);
      const storedMs = Math.floor(scheduler.nowMs + this.skewMs);
      tasks.push({ sequence: ++last, id, body, storedMs, deliveries: 0, isGone: false, heldUntilMs: 0 });
      serve();
    },
    pull(pull) {
      pulls.push({ ...pull, generation: pull.link.generation, expiresMs: scheduler.nowMs + pullExpiresMs });
      serve();
    },
    emptyUpTo: () =>
      tasks.some((task) => !task.isGone && task.heldUntilMs <= scheduler.nowMs) ? undefined : lastDelivered,
    hold,
    remove(task) {
      task.isGone = true;
      const timer = waiting.get(task);
      if (timer !== undefined) scheduler.cancel(timer);
      waiting.delete(task);
      const at = tasks.indexOf(task);
      if (at < 0) return;
      tasks.splice(at, 1);
      acknowledged.push({ task, atMs: scheduler.nowMs });
    },
    forget() {
      ids.clear();
      const young = acknowledged.filter(({ atMs }) => scheduler.nowMs - atMs < sweptAfterMs && random.chance(0.5));
      acknowledged = [];
      for (const { task } of young) tasks.push({ ...task, isGone: false, deliveries: 0, heldUntilMs: 0 });
      tasks.sort((a, b) => a.sequence - b.sequence);
      for (const task of tasks) {
        ids.add(task.id);
        if (!random.chance(0.5)) continue;
        task.deliveries = 0;
        task.heldUntilMs = 0;
      }
      pulls = [];
      lastDelivered = 0;
      serve();
    },
  };
}

function isOpen({ link, generation, expiresMs, left }: Pull, nowMs: number): boolean {
  return left > 0 && expiresMs > nowMs && link.generation === generation && isThere(link.process);
}

/** A stopped process still has its connection: what is sent to it waits there. */
function isThere({ isAlive }: Process): boolean {
  return isAlive;
}
