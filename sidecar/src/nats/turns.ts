import { Turns } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { serviceToken, splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { expectLastLine } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Limit } from "../core/limit.ts";
import { takeTurns } from "../core/turns.ts";
import { readFromBucket } from "./bucket.ts";

/** Turns that are ours, or why there are none. */
export type TurnsTaken =
  | { readonly kind: "turns"; readonly turns: readonly number[] }
  | { readonly kind: "wait"; readonly ms: number }
  /** NATS does not say. */
  | { readonly kind: "away" };

/** Gives out the turns of methods with a rate, to this sidecar among all. */
export interface TurnTaker {
  /** Log time, as exactly as a round trip to the server; known once turns have been taken. */
  readonly now: () => number;
  readonly take: (limit: Limit, count: number) => Promise<TurnsTaken>;
}

const rounds = 20;
const conflictPauseMs = 20;
/** Clocks drift by some milliseconds meanwhile. */
const calibrateEveryMs = 30_000;
/** Half of a round trip is what is not known of the other clock: under load the narrowest of some is taken. */
const fineRoundTripMs = 4;
const calibrations = 5;
const clockTtlSeconds = 60;

/**
 * Over one record a method, changed by compare-and-set: whoever has written it has the turns. Clocks are compared by a message of our own,
 * whose time of storage lies between its sending and its acknowledgement.
 */
export function openTurns(
  nats: Nats,
  publisher: Pick<Publisher, "publish">,
  names: Names,
  sidecarId: string,
): TurnTaker {
  const bucket = names.limitsBucket;
  const known = new Map<string, { readonly record: Turns | undefined; readonly revision: number }>();
  let aheadMs = 0;
  let calibratedMs = -Infinity;

  const calibrate = async (): Promise<boolean> => {
    if (monotonicMs() - calibratedMs < calibrateEveryMs) return true;
    let narrowestMs = Infinity;
    for (let tries = 0; tries < calibrations && narrowestMs > fineRoundTripMs; tries++) {
      const compared = await compareClocks(nats, publisher, bucket, sidecarId);
      if (compared === undefined) break;
      if (compared.roundTripMs >= narrowestMs) continue;
      narrowestMs = compared.roundTripMs;
      ({ aheadMs } = compared);
    }
    if (narrowestMs === Infinity) return false;
    calibratedMs = monotonicMs();
    return true;
  };
  const read = async (key: string): Promise<{ readonly record: Turns | undefined; readonly revision: number }> => {
    const found = await readFromBucket(nats, bucket, { key });
    const record = found === undefined || found.value.length === 0 ? undefined : Turns.decode(found.value);
    return { record, revision: found?.revision ?? 0 };
  };
  const now = (): number => monotonicMs() + aheadMs;
  const take = async (limit: Limit, count: number): Promise<TurnsTaken> => {
    if (!(await calibrate())) return { kind: "away" };
    const { service, name } = splitMethod(limit.method);
    const key = `turn.${serviceToken(service)}.${name}`;
    for (let round = 0; round < rounds; round++) {
      const before = known.get(key) ?? (await read(key));
      const taken = takeTurns(before.record, limit, count, now());
      if (taken.kind === "wait") {
        // Others may have written since; that is seen when it is tried again.
        known.delete(key);
        return taken;
      }
      const value = Turns.encode(taken.record).finish();
      const published = await publisher.publish(`$KV.${bucket}.${key}`, value, expectLastLine(before.revision));
      known.delete(key);
      if (published.kind === "stored") {
        known.set(key, { record: taken.record, revision: published.sequence });
        return { kind: "turns", turns: taken.turns };
      }
      // What is not known to be ours is not: the turns are lost.
      if (published.kind !== "conflict") return { kind: "away" };
      if (round > 0) await pause(Math.random() * conflictPauseMs);
    }
    return { kind: "wait", ms: conflictPauseMs };
  };
  return {
    now,
    take: (limit, count) => take(limit, count).catch(() => ({ kind: "away" })),
  };
}

/** How far the server's clock is ahead of ours, give or take half of the round trip. */
async function compareClocks(
  nats: Nats,
  publisher: Pick<Publisher, "publish">,
  bucket: string,
  sidecarId: string,
): Promise<{ readonly aheadMs: number; readonly roundTripMs: number } | undefined> {
  const subject = `$KV.${bucket}.clock.${sidecarId}`;
  const sentMs = monotonicMs();
  const published = await publisher.publish(subject, new Uint8Array(), `Nats-TTL: ${clockTtlSeconds}s\r\n`);
  const ackedMs = monotonicMs();
  if (published.kind !== "stored") return undefined;
  const stored = await readFromBucket(nats, bucket, { revision: published.sequence });
  if (stored === undefined) return undefined;
  return { aheadMs: stored.storedMs - (sentMs + ackedMs) / 2, roundTripMs: ackedMs - sentMs };
}

/** Never set back, unlike the wall clock. */
function monotonicMs(): number {
  return performance.timeOrigin + performance.now();
}
