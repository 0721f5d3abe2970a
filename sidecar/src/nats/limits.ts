import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { readLimits } from "../core/limit.ts";
import type { Limit } from "../core/limit.ts";
import { readFromBucket } from "./bucket.ts";

/** The limits of methods, as this sidecar has read them last. */
export interface LimitView extends Disposable {
  /** False until they have been read on this connection, or NATS has not given them for a while. */
  isKnown(): boolean;
  limits(): readonly Limit[];
  /** Reads them now, as somebody has changed them. */
  refresh(): void;
}

const readEveryMs = 10_000;
const readAgainMs = 250;
/** A bucket whose leader is away holds up nobody for longer. */
const unknownMaxMs = 3_000;

/** Reads them on each connection and every 10 s; `onChange` hears of what is new, and of their being known. */
export function openLimitView(nats: Nats, names: Names, log: Log, onChange: () => void): LimitView {
  let limits: readonly Limit[] = [];
  let revision = 0;
  let isKnown = false;
  let sinceMs = performance.now();
  let isReading = false;
  let isDue = false;
  const look = async (): Promise<void> => {
    const found = await readFromBucket(nats, names.limitsBucket, { key: "limits" });
    const read = found === undefined ? [] : readLimits(found.value);
    if (read === undefined) log.error("the record of limits can't be read; what was known holds");
    const isNews = !isKnown || (found?.revision ?? 0) !== revision;
    revision = found?.revision ?? 0;
    limits = read ?? limits;
    isKnown = true;
    if (isNews) onChange();
  };
  const refresh = (): void => {
    isDue = true;
    if (isReading || !nats.isConnected()) return;
    isReading = true;
    isDue = false;
    void look()
      .catch((error: unknown) => {
        log.debug("limits can't be read now", { error: errorText(error) });
        isDue = true;
      })
      .finally(() => (isReading = false));
  };
  let readMs = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (!isKnown && now - sinceMs > unknownMaxMs && nats.isConnected()) {
      log.warn("limits of methods can't be read; what was known holds", { limits: limits.length });
      isKnown = true;
      onChange();
    }
    if (!isDue && now - readMs < readEveryMs) return;
    readMs = now;
    refresh();
  }, readAgainMs);
  const forgets = [
    nats.onDisconnect(() => (isKnown = false)),
    nats.onReconnect(() => {
      isKnown = false;
      sinceMs = performance.now();
      refresh();
    }),
  ];
  refresh();
  return {
    isKnown: () => isKnown,
    limits: () => limits,
    refresh,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      forgets.forEach((forget) => forget());
    },
  };
}
