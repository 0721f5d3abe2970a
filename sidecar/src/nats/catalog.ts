import { CatalogEntry } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { serviceToken } from "../../../proto/wire/subjects.ts";
import { headerLine } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";

/** What a sidecar offers of one service; the bucket forgets it some 30 s after the last time it was said. */
export interface CatalogWriter {
  /** Says it; false when the bucket does not exist yet or NATS is away, which the next time mends. */
  say(service: string, entry: CatalogEntry): Promise<boolean>;
  /** Takes it back, so that nobody waits for the time to live. */
  unsay(service: string): Promise<void>;
}

/** Writes below the key "<service>.<sidecar>", where a service's account may write. */
export function openCatalog(publisher: Publisher, names: Names, sidecarId: string): CatalogWriter {
  // nats.js drops times to live on put, and the bucket has one for all its keys: plain publishes do.
  const subject = (service: string): string => `$KV.${names.catalogBucket}.${serviceToken(service)}.${sidecarId}`;
  return {
    say: async (service, entry) => {
      const answer = await publisher.publish(subject(service), CatalogEntry.encode(entry).finish());
      return answer.kind === "stored";
    },
    unsay: async (service) => {
      await publisher.publish(subject(service), new Uint8Array(), headerLine("KV-Operation", "DEL"));
    },
  };
}
