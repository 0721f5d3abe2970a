import type { RunId } from "../../../../proto/wire/runId.ts";
import { toCredentials } from "../credentials.ts";
import type { DeletionGround } from "../deletion.ts";
import type { Keys, PartitionLog } from "../ports.ts";
import type { Ports } from "../processor.ts";

/** Ports whose request `at` fails: the even ones before they are done, the odd ones afterwards. `met`: it was reached. */
export function fakeStops(
  ports: Ports,
  at: number,
): {
  readonly ground: DeletionGround;
  readonly seen: { readonly met: boolean };
} {
  const seen = { requests: 0, met: false };
  const guard =
    <A extends readonly unknown[], T>(request: (...given: A) => Promise<T>) =>
    async (...given: A): Promise<T> => {
      const number = seen.requests++;
      if (number === Math.floor(at / 2)) {
        seen.met = true;
        if (at % 2 === 1) await request(...given);
        throw new Error("killed");
      }
      return request(...given);
    };
  const log = ports.logOf(0);
  const { keys, timers, payloads } = ports;
  const ground = {
    partition: 0,
    log: {
      ...log,
      firstEvent: guard((runId: RunId) => log.firstEvent(runId)),
      remove: guard((...range: Parameters<PartitionLog["remove"]>) => log.remove(...range)),
      keepOwner: guard((...given: Parameters<PartitionLog["keepOwner"]>) => log.keepOwner(...given)),
      cutHead: guard((through: number) => log.cutHead(through)),
    },
    keys: {
      ...keys,
      read: guard((...place: Parameters<Keys["read"]>) => keys.read(...place)),
      free: guard((...record: Parameters<Keys["free"]>) => keys.free(...record)),
    },
    timers: { ...timers, remove: guard((partition: number, runId: RunId) => timers.remove(partition, runId)) },
    payloads: { ...payloads, remove: guard((runId: RunId) => payloads.remove(runId)) },
    signal: new AbortController().signal,
    isLive: () => true,
    credentials: toCredentials([new Uint8Array(16)]),
  };
  return { ground, seen };
}
