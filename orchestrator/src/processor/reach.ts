import { pause } from "../../../runtime/src/pause.ts";
import type { PartitionLog } from "./ports.ts";

/** How far the loop of a partition has come. */
export type Standing =
  /** All that the log's leader had at a time after the question has been delivered, and the partition was still ours then. */
  | "up to date"
  /** Not yet, and not within the patience. */
  | "behind"
  /** Somebody else owns the partition by its log. */
  | "overtaken";

/** Finds that out for many who ask, by one look at the log's end. */
export interface Reach extends Pick<ReachOptions, "position"> {
  /** Throws when the log does not answer. */
  standing(): Promise<Standing>;
  /** The loop has delivered the message, and all before it. */
  delivered(sequence: number): void;
  /** The loop delivers no more: nobody waits for it. */
  leave(): void;
}

export interface ReachOptions {
  readonly log: Pick<PartitionLog, "tail">;
  readonly epoch: number;
  /** Sequence behind the last message that was read, delivered or not. */
  readonly position: (this: void) => number;
  /** This machine's clock, in milliseconds. */
  readonly now: (this: void) => number;
}

/** Between two looks there is a pause as long as the first one took, this at most: all who ask meanwhile share the next one. */
const gatherMaxMs = 10;
/** The reader stands still while too much is not done. */
const patienceMs = 500;

/**
 * One look is under way at a time. Who asks while it is gets the next one: what a look was answered says nothing of what came after it was sent.
 */
export function openReach({ log, epoch, position, now }: ReachOptions): Reach {
  let upTo = 0;
  let isOver = false;
  let gathering: Promise<Standing> | undefined;
  let before: Promise<unknown> = Promise.resolve();
  const waiting = new Set<{ readonly sequence: number; readonly resolve: (standing: Standing) => void }>();
  const look = async (): Promise<Standing> => {
    await before;
    // Whoever asks from here on has the next one.
    gathering = undefined;
    const answer = log.tail();
    before = restAfter(answer, now());
    const { sequence, ownerEpoch } = await answer;
    if (ownerEpoch !== epoch) return "overtaken";
    return upTo >= sequence ? "up to date" : untilDelivered(sequence);
  };
  const restAfter = async (answer: Promise<unknown>, sentMs: number): Promise<void> => {
    await answer.catch(() => undefined);
    await pause(Math.min(now() - sentMs, gatherMaxMs));
  };
  const untilDelivered = async (sequence: number): Promise<Standing> => {
    if (isOver) return "behind";
    const { promise, resolve } = Promise.withResolvers<Standing>();
    const one = { sequence, resolve };
    waiting.add(one);
    const timer = setTimeout(() => resolve("behind"), patienceMs);
    const standing = await promise;
    clearTimeout(timer);
    waiting.delete(one);
    return standing;
  };
  return {
    position,
    standing: () => (gathering ??= look()),
    delivered: (sequence) => {
      upTo = sequence;
      if (waiting.size === 0) return;
      for (const one of waiting) if (one.sequence <= sequence) one.resolve("up to date");
    },
    leave: () => {
      isOver = true;
      for (const { resolve } of waiting) resolve("behind");
    },
  };
}
