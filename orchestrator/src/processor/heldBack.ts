import type { Hold, Holds } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { HoldRecord } from "./ports.ts";

/** Whose calls operators hold back now, as read last. */
export interface HeldBack extends Disposable {
  /** Why calls of a method are held back in runs of a workflow; undefined: they are not. */
  reasonFor(workflow: string, method: string): string | undefined;
  /** Reads the record now. Throws when NATS does not answer. */
  refresh(): Promise<void>;
  /** Called when something is held back no more. Returns how to stop that. */
  onRelease(listener: () => void): () => void;
}

const readEveryMs = 1000;

/** Follows the record of holds until it is disposed of. While NATS does not answer, what was read last holds. */
export function openHeldBack(record: Pick<HoldRecord, "read">): HeldBack {
  const over = new AbortController();
  const listeners = new Set<() => void>();
  let holds: ReadonlyMap<string, Hold> = new Map();
  let revision = -1;
  const refresh = async (): Promise<void> => {
    const found = await record.read();
    if (found.revision <= revision) return;
    const before = holds;
    revision = found.revision;
    holds = byTarget(found.holds);
    if ([...before.keys()].some((name) => !holds.has(name))) for (const listener of listeners) listener();
  };
  const follow = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await pause(readEveryMs, over.signal);
      if (!over.signal.aborted) await refresh().catch(() => undefined);
    }
  };
  void follow();
  return {
    reasonFor: (workflow, method) => {
      if (holds.size === 0) return undefined;
      const hold =
        holds.get(`workflow ${workflow}`) ??
        holds.get(`method ${method}`) ??
        holds.get(`service ${splitMethod(method).service}`);
      return hold === undefined ? undefined : toReason(hold);
    },
    refresh,
    onRelease: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: () => over.abort(),
  };
}

function byTarget({ hold }: Holds): ReadonlyMap<string, Hold> {
  return new Map(hold.flatMap((one) => (one.target === undefined ? [] : [[nameOf(one.target), one]])));
}

function nameOf({ $case, value }: NonNullable<Hold["target"]>): string {
  return `${$case} ${value}`;
}

function toReason({ target, reason, actor }: Hold): string {
  const by = actor === "" ? "" : ` by ${actor}`;
  const why = reason === "" ? "" : `: ${reason}`;
  return `held: ${target === undefined ? "" : nameOf(target)}${by}${why}`;
}
