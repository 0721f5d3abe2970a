import { Member } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Members } from "../processor/ports.ts";

/** How long a record outlives the orchestrator that does not renew it. */
const ttlSeconds = 30;

/** The orchestrators alive, in the bucket of partitions: what all of them understand may be written into the logs. */
export function toMembers(nats: Nats, names: Names, publisher: Publisher): Members {
  return {
    announce: async (member) => {
      if (!nats.isConnected()) return;
      const subject = `$KV.${names.partitionsBucket}.member.${member.id}`;
      // The client's own put drops the time to live in silence.
      await publisher.publish(subject, Member.encode(member).finish(), `Nats-TTL: ${ttlSeconds}s\r\n`);
    },
    withdraw: async (id) => {
      if (!nats.isConnected()) return;
      const subject = `$KV.${names.partitionsBucket}.member.${id}`;
      await publisher.publish(subject, new Uint8Array(), "KV-Operation: PURGE\r\nNats-Rollup: sub\r\nNats-TTL: 1s\r\n");
    },
  };
}
