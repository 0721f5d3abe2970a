import { pop, push } from "../../../testing/src/partition/heap.ts";
import type { Due } from "../../../testing/src/partition/heap.ts";

/** A program of ours in a simulation: what is due for it happens while it lives, and not while it is stopped. */
export interface Process {
  readonly name: string;
  isAlive: boolean;
  /** Stopped until then, as by SIGSTOP: everything that is due for it comes late. */
  pausedUntilMs: number;
}

/** One thing to come. */
export interface Task extends Due {
  readonly process: Process | undefined;
  act: (() => void) | undefined;
}

/**
 * Virtual time for asynchronous code. Each task is a step: it runs, and all promises that it settles run on, before the next one
 * begins. So everything that happens in between belongs to the task's process, and a process can die between any two of its steps.
 */
export interface Scheduler {
  readonly nowMs: number;
  /** Whose step it is; undefined: the world's. */
  readonly current: Process | undefined;
  /** Steps taken. */
  readonly steps: number;
  after(process: Process | undefined, delayMs: number, act: () => void): Task;
  cancel(task: Task): void;
  /** How many things are to come for a process. */
  pending(process: Process): number;
  /** Ends when nothing is due before `endMs`, or `isDone` says so; rejects with what a step throws. */
  run(endMs: number, isDone: () => boolean): Promise<void>;
}

const breatheEvery = 5_000;
const breathe = setImmediate;

/** Time stands at `startMs`. */
export function openScheduler(startMs: number): Scheduler {
  const heap: Task[] = [];
  let nowMs = startMs;
  let order = 0;
  let steps = 0;
  let current: Process | undefined;

  /** The next task that can run now. */
  const next = (endMs: number): Task | undefined => {
    for (let first = heap[0]; first !== undefined && first.at <= endMs; first = heap[0]) {
      pop(heap);
      const { process, act } = first;
      if (act === undefined || process?.isAlive === false) continue;
      if (process !== undefined && process.pausedUntilMs > first.at) {
        first.at = process.pausedUntilMs;
        push(heap, first);
        continue;
      }
      return first;
    }
    return undefined;
  };

  return {
    get nowMs() {
      return nowMs;
    },
    get current() {
      return current;
    },
    get steps() {
      return steps;
    },
    after(process, delayMs, act) {
      const task = { at: nowMs + Math.max(delayMs, 0), order: order++, process, act };
      push(heap, task);
      return task;
    },
    cancel(task) {
      task.act = undefined;
    },
    pending: (process) => heap.filter((task) => task.process === process && task.act !== undefined).length,
    run(endMs, isDone) {
      return new Promise((resolve, reject) => {
        const step = (): void => {
          try {
            const task = isDone() ? undefined : next(endMs);
            if (task === undefined) {
              current = undefined;
              resolve();
              return;
            }
            nowMs = task.at;
            current = task.process;
            steps++;
            task.act?.();
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
            return;
          }
          // A tick that is asked for by a microtask comes once there are no microtasks left.
          if (steps % breatheEvery === 0) breathe(step);
          else queueMicrotask(() => process.nextTick(step));
        };
        step();
      });
    },
  };
}
