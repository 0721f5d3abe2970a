import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { toPayloads } from "../../../runtime/src/payloads.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Payloads } from "../processor/ports.ts";
import { askJetStream } from "./jetstream.ts";
import { runsIn } from "./runsIn.ts";

/** Payloads as sidecars have them, and what only their owner may do: remove those of a run. */
export function toRunPayloads(nats: Nats, names: Names, publisher: Publisher): Payloads {
  return {
    ...toPayloads(nats.connection, publisher, names),
    remove: async (runId, service) => {
      const filter = names.payloadsOfRun(runId, service);
      await askJetStream(nats.connection, `STREAM.PURGE.${names.payloadsStream}`, { filter });
    },
    runs: (subjectsMax) => runsIn(nats, names.payloadsStream, names.payloadsOfRun("*"), subjectsMax),
  };
}
