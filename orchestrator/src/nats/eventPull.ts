import { jetstream } from "@nats-io/jetstream";
import type { JsMsg } from "@nats-io/jetstream";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { atTurnEnd } from "../../../runtime/src/turnEnd.ts";
import type { EventDelivery } from "../processor/eventStreams.ts";

export interface EventPullOptions {
  readonly nats: Nats;
  readonly stream: string;
  readonly consumer: string;
  /** Messages given out and not finished, at one time. */
  readonly inHandsMax: number;
  /** Never rejects. */
  readonly take: (delivery: EventDelivery) => Promise<void>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const batchMax = 256;
/** Of messages in hands, as far as their sizes are those of the ones before. */
const bytesMax = 32 * 1024 * 1024;
const sizeBytesMin = 1_024;
const expiresMs = 5_000;
const heartbeatMs = 500;
const openAgainMs = 500;

/**
 * Pulls from a durable consumer until the signal aborts: never more than there is room for, so that nothing waits here while others have time. It comes
 * back by itself after a lost consumer, leader or connection.
 */
export async function pullEvents(options: EventPullOptions): Promise<void> {
  const { nats, stream, consumer: name, log, signal } = options;
  const hands = toHands(options);
  let told = "";
  while (!signal.aborted && !nats.connection.isClosed()) {
    try {
      const consumer = await jetstream(nats.connection).consumers.get(stream, name);
      told = "";
      while (!signal.aborted) {
        const messages = await consumer.fetch({
          max_messages: Math.min(await hands.room(), batchMax),
          expires: expiresMs,
          idle_heartbeat: heartbeatMs,
        });
        const close = (): void => void messages.close();
        signal.addEventListener("abort", close, { once: true });
        try {
          for await (const message of messages) hands.take(toDelivery(message, stream));
        } finally {
          signal.removeEventListener("abort", close);
        }
      }
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told && !signal.aborted)
        log.info("a trigger's consumer does not answer", { stream, name, reason });
      told = reason;
      await pause(openAgainMs, signal);
    }
  }
}

/** What is in hands, and the wait until half of it, or more, is free: messages, and bytes at the size that they have had. */
function toHands({ inHandsMax, take, signal }: EventPullOptions): {
  readonly room: () => Promise<number>;
  readonly take: (delivery: EventDelivery) => void;
} {
  let inHands = 0;
  let sizeBytes = sizeBytesMin;
  let wake = (): void => undefined;
  const most = (): number => Math.max(1, Math.min(inHandsMax, Math.floor(bytesMax / sizeBytes)));
  const hasRoom = (): boolean => inHands * 2 <= most();
  return {
    room: async () => {
      if (!hasRoom() && !signal.aborted) await new Promise<void>((resolve) => void (wake = resolve));
      return Math.max(1, most() - inHands);
    },
    take: (delivery) => {
      inHands++;
      // Larger ones count at once, smaller ones after a while.
      const ownBytes = delivery.message.data.length + sizeBytesMin;
      sizeBytes = Math.max(ownBytes, sizeBytes - (sizeBytes - ownBytes) / 64);
      // It never rejects.
      void take(delivery).then(() => {
        inHands--;
        if (hasRoom()) wake();
      });
    },
  };
}

function toDelivery(message: JsMsg, stream: string): EventDelivery {
  const headers = new Map<string, string>();
  for (const [name, [value = ""]] of message.headers ?? []) headers.set(name.toLowerCase(), value);
  return {
    message: { headers, data: message.data },
    subject: message.subject,
    stream,
    sequence: message.seq,
    storedMs: Number(message.timestampNanos / 1_000_000n),
    deliveries: message.info.deliveryCount,
    // All of a turn of the event loop in one write, together with what is published in it.
    ack: () => atTurnEnd(() => message.ack()),
    again: (delayMs) => message.nak(delayMs),
  };
}
