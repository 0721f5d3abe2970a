import { Control } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Control_Drain, Control_Reset } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** What orchestrators tell the sidecars of a service. */
export interface ControlListeners {
  readonly onReset: (reset: Control_Reset) => void;
  readonly onLimits: () => void;
  /** Meant for one sidecar, and told to all. */
  readonly onDrain: (drain: Control_Drain) => void;
  /** Something that can't be read. */
  readonly onGarbage: () => void;
}

/** Listens for what orchestrators tell all sidecars of a service. */
export function listenForControl(
  nats: Nats,
  names: Names,
  service: string,
  { onReset, onLimits, onDrain, onGarbage }: ControlListeners,
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
        case "drain":
          return onDrain(control.kind.value);
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
