import type { WriteLimits, Written } from "../../../orchestrator/src/processor/ports.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { Link, Network, Place } from "./network.ts";
import type { Stored } from "./stream.ts";
import { strikes } from "./world.ts";
import type { World } from "./world.ts";

/** What a write is tried with. */
export interface Write {
  readonly place: Place;
  readonly store: () => Stored;
  /** Where it stands when it was ours that stands in the way; read after a conflict. */
  readonly standsAt: () => number | undefined;
}

/** A write that is tried until it is known what became of it, as the adapters do it. */
export async function write(
  world: World,
  network: Network,
  link: Link,
  { place, store, standsAt }: Write,
  limits: WriteLimits,
): Promise<Written> {
  const nextPauseMs = growingPause(100, 5_000);
  const fate = fateOf(world, limits);
  if (fate === "rejected") return { kind: "rejected", reason: "fault" };
  const isStoredAfterAll = fate === undefined || world.random.chance(0.5);
  for (let tries = 0; !limits.signal.aborted; tries++) {
    const stored = isStoredAfterAll ? await network.call(link, place, store) : undefined;
    if (fate === "deferred") return { kind: "deferred", reason: "fault" };
    if (stored?.kind === "stored") return stored;
    if (stored?.kind === "conflict") {
      const stands = await network.call(link, place, () => ({ at: standsAt() }));
      if (stands?.at !== undefined) return { kind: "stored", sequence: stands.at };
      if (stands !== undefined) return { kind: "conflict" };
    }
    if (Date.now() > (limits.giveUpAtMs ?? Infinity)) break;
    await pause(nextPauseMs(), limits.signal);
  }
  return { kind: "abandoned" };
}

/** What can be rejected or deferred says so by its limits: ends and firings can't. */
function fateOf(world: World, { deferAfterMs }: WriteLimits): "rejected" | "deferred" | undefined {
  if (deferAfterMs === undefined) return undefined;
  if (strikes(world, world.faults.rejects)) return "rejected";
  return strikes(world, world.faults.defers) ? "deferred" : undefined;
}
