import { expect, test } from "vitest";
import { AuditEntry, AuditEntry_Outcome as Outcome } from "../../../proto/gen/sidestep/v1/audit.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { toAuditStore } from "./auditStore.ts";
import { askJetStream } from "./jetstream.ts";
import { auditStream } from "./streams.ts";

test("an entry takes the place of its earlier form, and pages go back to the oldest", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const names = toNames();
  await askJetStream(nats.connection, `STREAM.CREATE.${names.auditStream}`, auditStream(names, 1, 3_600_000));
  using publisher = openPublisher(nats.connection);
  const store = toAuditStore(nats, names, publisher, silentLog);
  expect(await store.page(undefined)).toEqual({ entries: [], next: undefined });
  const put = (id: number, outcome: Outcome) =>
    store.put(AuditEntry.fromPartial({ id: String(id), target: `run ${id}`, outcome }), 5_000);
  for (let id = 0; id < 600; id += 1) expect(await put(id, Outcome.OUTCOME_UNSPECIFIED)).toBe(true);
  await put(3, Outcome.DONE);
  const first = await store.page(undefined);
  expect(first.entries[0]?.entry).toMatchObject({ id: "3", outcome: Outcome.DONE });
  const second = await store.page(first.next);
  const ids = [...first.entries, ...second.entries].map(({ entry }) => entry.id);
  expect(ids).toHaveLength(600);
  expect(new Set(ids).size).toBe(600);
  expect(ids.at(-1)).toBe("0");
  expect(second.next).toBeUndefined();
});
