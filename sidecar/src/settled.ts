import type { Delivery } from "./ports.ts";

/** The delivery, and what is done each time it is acknowledged, given back or set aside. */
export function onSettled(delivery: Delivery, settle: () => void): Delivery {
  const { body, delivery: number, streamSequence, storedAtMs, receivedAtMs, age, isFirst } = delivery;
  return {
    body,
    delivery: number,
    streamSequence,
    storedAtMs,
    receivedAtMs,
    age,
    isFirst,
    ack: () => {
      delivery.ack();
      settle();
    },
    nak: (delayMs, isUnbegun) => {
      delivery.nak(delayMs, isUnbegun);
      settle();
    },
    extend: () => delivery.extend(),
    discard: (reason) => {
      delivery.discard(reason);
      settle();
    },
  };
}
