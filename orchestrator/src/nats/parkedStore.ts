import { JetStreamError, jetstreamManager } from "@nats-io/jetstream";
import { ParkedMessage } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { triggerToken } from "../../../proto/wire/triggerSubjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Parked, ParkedStore } from "../processor/eventStreams.ts";
import { askAgain, readFromLeader } from "./jetstream.ts";

/** Less than what a server takes, for subject and headers. */
const spareBytes = 4_096;

/** What triggers can't take, a subject a message: the same again takes the place of the first. */
export function toParkedStore(nats: Nats, names: Names, publisher: Publisher): ParkedStore {
  const stream = names.parkedStream;
  const { connection } = nats;
  const purge = async (filter: string): Promise<void> =>
    void (await askAgain(connection, `STREAM.PURGE.${stream}`, { filter }));
  const subjectsOf = async (filter: string): Promise<readonly string[]> => {
    const { state } = await askAgain(connection, `STREAM.INFO.${stream}`, { subjects_filter: filter });
    return Object.keys(state?.subjects ?? {});
  };
  return {
    put: async (id, parked) => {
      const max = (connection.info?.max_payload ?? 0) - spareBytes;
      const data = ParkedMessage.encode(parked).finish();
      const elsewhere = { ...parked, headers: [], payload: Buffer.alloc(0), elsewhere: true };
      const kept = data.length <= max ? data : ParkedMessage.encode(elsewhere).finish();
      const published = await publisher.publish(names.parkedSubject(parked.trigger, id), kept, "", stream);
      return published.kind === "stored";
    },
    page: async (trigger, after, limit) => {
      const manager = await jetstreamManager(connection, { checkAPI: false });
      const asked = { seq: after + 1, batch: limit, next_by_subj: names.parkedOf(trigger) };
      const found: Parked[] = [];
      try {
        for await (const { subject, seq, data } of await manager.direct.getBatch(stream, asked))
          found.push({ id: idOf(subject), parked: ParkedMessage.decode(data), position: seq });
      } catch (error) {
        // There is nothing behind that place.
        if (!(error instanceof JetStreamError && "code" in error && error.code === 404)) throw error;
      }
      return found;
    },
    read: async (trigger, id) => {
      if (!/^[0-9a-f]{1,64}$/.test(id)) return undefined;
      const subject = names.parkedSubject(trigger, id);
      const stored = await readFromLeader(connection, stream, { kind: "last", subject });
      return stored && { id, parked: ParkedMessage.decode(stored.data), position: stored.sequence };
    },
    remove: (trigger, id) => purge(names.parkedSubject(trigger, id)),
    removeAll: async (trigger) => {
      const filter = names.parkedOf(trigger);
      const { length } = await subjectsOf(filter);
      if (length > 0) await purge(filter);
      return length;
    },
    counts: async () => {
      const counts = new Map<string, number>();
      for (const subject of await subjectsOf(names.parkedSubjects())) {
        const token = subject.split(".")[2] ?? "";
        counts.set(token, (counts.get(token) ?? 0) + 1);
      }
      return counts;
    },
    tokenOf: triggerToken,
  };
}

function idOf(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}
