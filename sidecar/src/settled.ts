import type { Delivery } from "./ports.ts";

/** The delivery, and what is done each time it is acknowledged, given back or set aside. */
export function onSettled(delivery: Delivery, settle: () => void): Delivery {
  const { body, delivery: number, streamSequence, storedAtMs, receivedAtMs, age } = delivery;
  return {
    body,
    delivery: number,
    streamSequence,
    storedAtMs,
    receivedAtMs,
    age,
    ack: () => {
      delivery.ack();
      settle();
    },
    nak: (delayMs) => {
      delivery.nak(delayMs);
      settle();
    },
    extend: () => delivery.extend(),
    discard: (reason) => {
      delivery.discard(reason);
      settle();
    },
  };
}
