import { AuditEntry } from "../../../proto/gen/sidestep/v1/audit.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause } from "../../../runtime/src/pause.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import { askAgain } from "./jetstream.ts";
import { readNext } from "./logNext.ts";

/** Sequences that one page covers. */
const chunk = 500;

/** The audit in its stream: a subject an entry, whose later form takes the place of the earlier one. */
export function toAuditStore(nats: Nats, names: Names, publisher: Publisher, log: Log): AuditStore {
  const stream = names.auditStream;
  return {
    put: async (entry, withinMs) => {
      const signal = AbortSignal.timeout(withinMs);
      const data = AuditEntry.encode(entry).finish();
      const nextPauseMs = growingPause(50, 500);
      for (;;) {
        const published = await publisher.publish(names.auditSubject(entry.id), data, "", stream);
        if (published.kind === "stored") return true;
        if (published.kind !== "retryable" || signal.aborted) {
          const { id, method, actor, target } = entry;
          log.error("an entry of the audit was not written", { id, method, actor, target, error: published.message });
          return false;
        }
        await publisher.pauseFor(stream, published, nextPauseMs(), signal);
      }
    },
    page: async (before) => {
      const { state } = await askAgain(nats.connection, `STREAM.INFO.${stream}`, undefined);
      const first = state?.first_seq ?? 1;
      const last = before === undefined ? (state?.last_seq ?? 0) : before - 1;
      if (last < first) return { entries: [], next: undefined };
      const from = Math.max(first, last - chunk + 1);
      const found = await readNext(nats, stream, from, last - from + 1);
      const entries = found
        .filter(({ sequence }) => sequence <= last)
        .map(({ sequence, data }) => ({ at: sequence, entry: AuditEntry.decode(data) }))
        .toReversed();
      return { entries, next: from > first ? from : undefined };
    },
  };
}
