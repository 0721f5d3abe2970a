import type { SidecarStatus } from "../../../proto/gen/sidestep/v1/services.ts";
import type { KnownSidecar } from "./catalog.ts";
import { toTimestamp } from "./time.ts";

/** A sidecar tells of each of its services; what it says of one service process is one entry here. By address of the process, then id. */
export function toSidecars(heard: readonly KnownSidecar[]): SidecarStatus[] {
  const byProcess = Map.groupBy(heard, ({ sidecar, target }) => `${sidecar?.id ?? ""} ${target}`);
  return [...byProcess.values()]
    .flatMap((entries) => toSidecar(entries) ?? [])
    .toSorted((a, b) => compare(a.target, b.target) || compare(a.id, b.id));
}

function toSidecar(entries: readonly KnownSidecar[]): SidecarStatus | undefined {
  const latest = entries.toSorted((a, b) => b.heardMs - a.heardMs)[0];
  if (latest === undefined) return undefined;
  const { sidecar, target, concurrency, heardMs, inFlight, draining } = latest;
  const { id = "", name = "", host = "", version = "" } = sidecar ?? {};
  return {
    id,
    name,
    host,
    version,
    target,
    concurrency,
    inFlight,
    services: all(entries, ({ services }) => services),
    methods: all(entries, ({ methods }) => methods),
    broken: all(entries, ({ broken }) => broken),
    serving: entries.some(({ serving }) => serving),
    heardAt: toTimestamp(heardMs),
    draining: draining && { reason: draining.reason, since: toTimestamp(draining.sinceMs), actor: draining.actor },
  };
}

function all(entries: readonly KnownSidecar[], of: (entry: KnownSidecar) => readonly string[]): string[] {
  return [...new Set(entries.flatMap((entry) => of(entry)))].toSorted();
}

function compare(a: string, b: string): number {
  return Number(a > b) - Number(a < b);
}
