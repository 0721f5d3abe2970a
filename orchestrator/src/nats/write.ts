import { performance } from "node:perf_hooks";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause } from "../../../runtime/src/pause.ts";
import { messageIdLine } from "../../../runtime/src/publisher.ts";
import type { Published, Publisher } from "../../../runtime/src/publisher.ts";
import type { WriteLimits, Written } from "../processor/ports.ts";
import { JetStreamFailure, readFromLeader } from "./jetstream.ts";
import type { StoredMessage, Wanted } from "./jetstream.ts";

/** One message that has to be in a stream once, however often it is tried. */
export interface Write {
  readonly stream: string;
  readonly subject: string;
  readonly data: Uint8Array;
  /** Header lines without the message id. */
  readonly headers: string;
  /** Undefined: the stream's expectation alone keeps doubles out. */
  readonly id: string | undefined;
  /** Where the own message would stand when the stream refuses a write by its expectation. */
  readonly onConflict: Wanted;
  /** Tells the own message from others. */
  readonly isOurs: (stored: StoredMessage) => boolean;
}

/** Publishes until it is known what became of it. */
export interface Writer {
  write(write: Write, limits: WriteLimits): Promise<Written>;
}

const pauseFirstMs = 100;
const pauseMaxMs = 5000;
const answeringWithinMs = 5000;

/**
 * Resolves every ambiguous answer of a stream: timeouts, missing responders and messages under way are tried again with growing pauses;
 * a refused expectation and a known id are compared with what the leader has.
 */
export function openWriter(nats: Nats, publisher: Publisher): Writer {
  const answeredMs = new Map<string, number>();

  const resolve = async (write: Write, first: Published, limits: WriteLimits): Promise<Written> => {
    const startedMs = performance.now();
    const nextPauseMs = growingPause(pauseFirstMs, pauseMaxMs);
    let published = first;
    let id = write.id;
    let ids = 0;
    for (;;) {
      const known = await settle(nats, write, published).catch((error: unknown) => {
        if (error instanceof JetStreamFailure) return undefined;
        throw error;
      });
      if (known?.kind === "poisoned") id = `${write.id ?? ""}~${++ids}`;
      else if (known !== undefined) return known;
      else if (isDeferred(write, startedMs, limits)) return { kind: "deferred", reason: reasonOf(published) };
      else await publisher.pauseFor(write.stream, published, nextPauseMs(), limits.signal);
      if (limits.signal.aborted || Date.now() > (limits.giveUpAtMs ?? Infinity)) return { kind: "abandoned" };
      published = await send(write, id);
    }
  };
  const isDeferred = (write: Write, startedMs: number, { deferAfterMs }: WriteLimits): boolean => {
    const now = performance.now();
    return (
      deferAfterMs !== undefined &&
      now - startedMs > deferAfterMs &&
      now - (answeredMs.get(write.stream) ?? 0) < answeringWithinMs
    );
  };
  const send = (write: Write, id: string | undefined): Promise<Published> =>
    publisher.publish(
      write.subject,
      write.data,
      id === undefined ? write.headers : write.headers + messageIdLine(id),
      write.stream,
    );

  return {
    write: async (write, limits) => {
      if (limits.signal.aborted) return { kind: "abandoned" };
      const published = await send(write, write.id);
      if (published.kind !== "stored" || published.duplicate) return resolve(write, published, limits);
      answeredMs.set(write.stream, performance.now());
      return { kind: "stored", sequence: published.sequence };
    },
  };
}

/** Undefined: not known yet. `poisoned`: another message has been stored under our id. Throws JetStreamFailure when the leader can't be read. */
async function settle(
  nats: Nats,
  write: Write,
  published: Published,
): Promise<Written | { readonly kind: "poisoned" } | undefined> {
  switch (published.kind) {
    case "retryable":
      return undefined;
    case "permanent":
      return { kind: "rejected", reason: published.message };
    case "conflict": {
      const stored = await readFromLeader(nats.connection, write.stream, write.onConflict);
      if (stored !== undefined && write.isOurs(stored)) return { kind: "stored", sequence: stored.sequence };
      return { kind: "conflict" };
    }
    case "stored": {
      const { sequence, duplicate } = published;
      if (!duplicate) return { kind: "stored", sequence };
      const stored = await readFromLeader(nats.connection, write.stream, { kind: "sequence", sequence });
      // Gone again: a task that was acked, a timer that fired. Servers that fit call nothing a duplicate that was not stored.
      return stored === undefined || write.isOurs(stored) ? { kind: "stored", sequence } : { kind: "poisoned" };
    }
  }
}

function reasonOf(published: Published): string {
  return published.kind === "stored" ? "the stored message can't be read back" : published.message;
}
