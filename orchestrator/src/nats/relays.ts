import { RelayCall, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { isReplySubject } from "../../../proto/wire/inbox.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** Carries out one call of a service. */
type Carry = (service: string, call: RelayCall, reply: (reply: RelayReply) => void) => void;

/** One orchestrator takes each call. */
const queue = "relay";

/** Takes calls that services make through their sidecars, until it is disposed of; replies go on after that. */
export function serveRelays({ connection }: Nats, names: Names, carry: Carry, log: Log): Disposable {
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
    [Symbol.dispose]: () => {
      if (!connection.isClosed()) subscription.unsubscribe();
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
