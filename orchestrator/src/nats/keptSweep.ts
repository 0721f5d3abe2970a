import { jetstream } from "@nats-io/jetstream";
import { relayedForm } from "../../../proto/wire/relay.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Payloads } from "../processor/ports.ts";

export interface KeptSweepOptions {
  readonly nats: Nats;
  readonly names: Names;
  readonly payloads: Pick<Payloads, "remove">;
  /** Whether it falls to us now; two at once do no harm. */
  readonly isOurs: () => boolean;
  readonly log: Log;
  readonly now?: () => number;
  readonly everyMs?: number;
}

const sweepEveryMs = 60_000;
/** A call waits for somebody to take it for seconds; whatever its request was kept apart for is over by then. */
const keptMsMax = 300_000;
const batch = 1_000;
const fetchMs = 1_000;

/**
 * Removes requests of services that their sidecars have kept apart and that nobody took, and those of an orchestrator that died: what is taken is dropped by
 * who took it. Reads the names of payloads, each once it is old, so that it meets hardly any that is still to be dropped.
 */
export function openKeptSweep(options: KeptSweepOptions): Disposable {
  const over = new AbortController();
  void sweepAlways(options, over.signal);
  return { [Symbol.dispose]: () => over.abort() };
}

async function sweepAlways(options: KeptSweepOptions, signal: AbortSignal): Promise<void> {
  const { nats, isOurs, log, everyMs = sweepEveryMs } = options;
  let next = 1;
  for (let told = ""; ;) {
    await pause(everyMs, signal);
    if (signal.aborted || nats.connection.isClosed()) return;
    if (!isOurs()) next = 1;
    if (!isOurs() || !nats.isConnected()) continue;
    try {
      next = await sweep(options, next, signal);
      told = "";
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told) log.warn("requests that were kept apart can't be removed now", { error: reason });
      told = reason;
    }
  }
}

/** Goes on from a position up to what is young, or to the end; returns where it goes on next. */
async function sweep(
  { nats, names, payloads, log, now = Date.now }: KeptSweepOptions,
  from: number,
  signal: AbortSignal,
): Promise<number> {
  const consumer = await jetstream(nats.connection).consumers.get(names.payloadsStream, {
    filter_subjects: [names.payloadSubject("*", "*", "*", 0)],
    headers_only: true,
    opt_start_seq: from,
  });
  let next = from;
  let removed = 0;
  try {
    for (let isMore = true; isMore && !signal.aborted;) {
      isMore = false;
      for await (const { subject, seq, time } of await consumer.fetch({ max_messages: batch, expires: fetchMs })) {
        isMore = now() - time.getTime() >= keptMsMax;
        if (!isMore) break;
        next = seq + 1;
        const kept = keptIn(subject);
        if (kept === undefined) continue;
        await payloads.remove(kept.keptAs, kept.service);
        removed++;
      }
    }
  } finally {
    await consumer.delete().catch(() => false);
  }
  if (removed > 0) log.info("requests of services were removed that nobody took", { removed });
  return next;
}

/** Of whom, and under which id, a request was kept apart; undefined: it is a payload of a run, or something else. */
function keptIn(subject: string): { readonly service: string; readonly keptAs: RunId } | undefined {
  const [, , service = "", runId = ""] = subject.split(".");
  const keptAs = relayedForm.test(runId) ? parseRunId(runId) : undefined;
  return keptAs === undefined ? undefined : { service: service.replaceAll("-", "."), keptAs };
}
