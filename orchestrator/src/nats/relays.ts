import { RelayCall, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { isReplySubject } from "../../../proto/wire/inbox.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** Carries out one call of a service. */
type Carry = (service: string, call: RelayCall, reply: (reply: RelayReply) => void) => void;

/** One orchestrator takes each call. */
const queue = "relay";

/** Takes calls that services make through their sidecars, until it is disposed of, and those that are on their way then; replies go on after that. */
export function serveRelays(nats: Nats, names: Names, carry: Carry, log: Log): AsyncDisposable {
  const { connection } = nats;
  const serviceAt = names.relays().split(".").length - 1;
  const subscription = connection.subscribe(names.relays(), {
    queue,
    callback: (error, { subject, reply, data }) => {
      if (error !== null || reply === undefined || reply === "") return;
      const call = read(data);
      if (call === undefined || !isReplySubject(reply)) {
        log.warn("a call of a service can't be read", { subject });
        return;
      }
      const service = (subject.split(".")[serviceAt] ?? "").replaceAll("-", ".");
      carry(service, call, (one) => {
        if (!connection.isClosed()) connection.publish(reply, RelayReply.encode(one).finish());
      });
    },
  });
  return {
    [Symbol.asyncDispose]: async () => {
      // It fails when the connection is lost meanwhile, and then nothing more comes.
      if (nats.isConnected() && !subscription.isClosed()) await subscription.drain().catch(() => undefined);
    },
  };
}

function read(data: Uint8Array): RelayCall | undefined {
  try {
    return RelayCall.decode(data);
  } catch {
    return undefined;
  }
}
