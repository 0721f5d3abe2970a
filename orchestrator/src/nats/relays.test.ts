import { afterAll, expect, test } from "vitest";
import { RelayCall, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { serveRelays } from "./relays.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

test("calls that are on their way to an orchestrator that shuts down are carried out, in the name of who may publish there", async () => {
  const server = closing.use(await startNats());
  const [serving, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const services = new Set<string>();
  let stopped: PromiseLike<void> | undefined;
  const relays = serveRelays(
    serving,
    names,
    (service, _call, reply) => {
      services.add(service);
      // At the first one the others have arrived.
      stopped ??= relays[Symbol.asyncDispose]();
      reply(RelayReply.fromPartial({ kind: { $case: "again", value: {} } }));
    },
    silentLog,
  );
  await serving.connection.flush();
  const data = RelayCall.encode(RelayCall.fromPartial({ kind: { $case: "resume", value: {} } })).finish();
  const subject = names.relaySubject("shop.v1.Orders");
  const asked = Array.from({ length: 100 }, () => calling.connection.request(subject, data, { timeout: 5_000 }));
  for (const answer of await Promise.all(asked)) expect(RelayReply.decode(answer.data).kind?.$case).toBe("again");
  await stopped;
  expect([...services]).toEqual(["shop.v1.Orders"]);
  await expect(calling.connection.request(subject, data, { timeout: 5_000 })).rejects.toThrow(/no responders/i);
});
