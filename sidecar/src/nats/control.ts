import { Control } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Control_Reset } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** Listens for what orchestrators tell all sidecars of a service. `onGarbage` is told what can't be read. */
export function listenForControl(
  nats: Nats,
  names: Names,
  service: string,
  onReset: (reset: Control_Reset) => void,
  onLimits: () => void,
  onGarbage: () => void,
): Disposable {
  const subscription = nats.connection.subscribe(names.controlSubject(service), {
    callback: (error, message) => {
      if (error !== null) return;
      const control = decode(message.data);
      switch (control?.kind?.$case) {
        case "reset":
          return onReset(control.kind.value);
        case "limitsChanged":
          return onLimits();
        case undefined:
          return onGarbage();
      }
    },
  });
  return { [Symbol.dispose]: () => subscription.unsubscribe() };
}

function decode(bytes: Uint8Array): Control | undefined {
  try {
    return Control.decode(bytes);
  } catch {
    return undefined;
  }
}
