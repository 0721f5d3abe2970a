import { Control } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** What one sidecar is to do: take nothing new, or take tasks again. */
export interface SidecarOrder {
  readonly sidecarId: string;
  readonly lifted: boolean;
  readonly reason: string;
  readonly actor: string;
}

/** Tells a sidecar, on the subjects of the services it offers; nobody knows yet whether it heard. */
export function tellSidecar(nats: Nats, names: Names, services: readonly string[], order: SidecarOrder): void {
  if (!nats.isConnected()) return;
  const data = Control.encode({ kind: { $case: "drain", value: order } }).finish();
  for (const service of services) nats.connection.publish(names.controlSubject(service), data);
}
