import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { parseLogSubject } from "../../../proto/wire/subjects.ts";
import { openGate } from "../../../runtime/src/gate.ts";
import type { AskedDeletion, Deletions } from "./askedDeletion.ts";
import { deleteAsked } from "./deletion.ts";
import { beginsRun, eventIn } from "./eventIn.ts";
import type { Ground } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";
import type { Window } from "./takeover.ts";

/** More are found again in the log. */
const waitingMax = 10_000;
/** Messages that are looked at for requests at a time. */
const messagesMax = 5_000;
const deletionsAtOnce = 16;
const pauseMs = 1_000;

/** A stretch of the log whose requests may not be among those that wait. */
interface Stretch {
  readonly from: number;
  readonly upTo: number;
}

/**
 * Remembers requests until nobody may have to read their runs again: checkpoint and trace are behind the request, in the lease, and every
 * partition has come to its time. Where the first of them lies is in the lease as well, so that who owns the partition next looks for them between
 * there, `window.deleting`, and the checkpoint.
 */
export function openDeletions(ground: Ground, window: Pick<Window, "deleting" | "checkpoint">): Deletions {
  const waiting = new Map<RunId, AskedDeletion>();
  const unread: Stretch[] = window.deleting === 0 ? [] : [{ from: window.deleting, upTo: window.checkpoint }];
  let isSweeping = false;
  let notBeforeMs = 0;

  const add = (asked: AskedDeletion): void => {
    const { askedAt } = asked;
    if (waiting.size < waitingMax) {
      waiting.set(asked.runId, asked);
      return;
    }
    const [first, last] = [unread[0], unread.at(-1)];
    // What has no room comes in order: one stretch is enough for all of it.
    if (unread.length < 2 || first === undefined || last === undefined) unread.push({ from: askedAt, upTo: askedAt });
    else unread.splice(1, 1, { from: last.from, upTo: Math.max(last.upTo, askedAt) });
  };

  const readOn = async ({ from, upTo }: Stretch, durable: number): Promise<void> => {
    const messages = await ground.log.next(from, messagesMax);
    const known = messages.filter(({ sequence }) => sequence <= Math.min(upTo, durable));
    for (const message of known) {
      const asked = requestIn(message);
      if (asked !== undefined && (await hasEnded(ground, asked))) add(asked);
    }
    const next = (known.at(-1)?.sequence ?? from - 1) + 1;
    const isAtEnd = messages.length < messagesMax && durable >= upTo;
    if (next > upTo || isAtEnd || (messages[known.length]?.sequence ?? 0) > upTo) unread.shift();
    else unread[0] = { from: next, upTo };
  };

  const sweepSome = async (): Promise<void> => {
    const durable = ground.durable();
    const [stretch] = unread;
    if (stretch !== undefined && waiting.size === 0) await readOn(stretch, durable);
    const passedMs = ground.passedMs();
    const due = [...waiting.values()].filter(({ askedAt, askedMs }) => askedAt <= durable && askedMs <= passedMs);
    const gate = openGate(deletionsAtOnce);
    const works = due.slice(0, ground.bounds.deletionsMax).map((asked) =>
      gate(async () => {
        await deleteAsked(ground, asked.runId, asked.askedAt);
        if (waiting.get(asked.runId) === asked) waiting.delete(asked.runId);
        ground.counts.deletions++;
        ground.logger.info("deleted a run because somebody asked", { runId: asked.runId });
      }),
    );
    const failed = (await Promise.allSettled(works)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  };

  return {
    add,
    sweep: () => {
      if (isSweeping || (waiting.size === 0 && unread.length === 0) || !ground.isLive()) return;
      if (ground.now() < notBeforeMs) return;
      isSweeping = true;
      sweepSome()
        .catch((error: unknown) => {
          notBeforeMs = ground.now() + pauseMs;
          if (!ground.signal.aborted) ground.logger.warn("runs can't be deleted now", { waiting: waiting.size, error });
        })
        .finally(() => (isSweeping = false));
    },
    from: () => {
      let first = Infinity;
      for (const { from } of unread) first = Math.min(first, from);
      for (const { askedAt } of waiting.values()) first = Math.min(first, askedAt);
      return first === Infinity ? 0 : first;
    },
  };
}

function requestIn(message: LogMessage): AskedDeletion | undefined {
  const place = parseLogSubject(message.subject);
  const runId = place?.kind === "e" ? parseRunId(place.runId) : undefined;
  if (runId === undefined || eventIn(message)?.$case !== "deleteRequested") return undefined;
  return { runId, askedAt: message.sequence, askedMs: message.storedMs };
}

/** The fold takes a request only after the run's end; a run that has no start any more was being deleted. */
async function hasEnded({ log }: Ground, { runId, askedAt }: AskedDeletion): Promise<boolean> {
  const first = await log.firstEvent(runId);
  if (first === undefined || first.sequence >= askedAt || !beginsRun(first)) return true;
  const messages = await log.load(runId);
  return messages.some((message) => {
    if (message.sequence >= askedAt || !message.subject.endsWith(".e")) return false;
    return eventIn(message)?.$case === "runEnded";
  });
}
