import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { askAgain } from "./jetstream.ts";
import type { JetStreamAnswer } from "./jetstream.ts";

/** Which streams lie on a server that belongs to no cluster: whatever answers a read of them has all there is. */
export interface LoneStreams extends Disposable {
  /** Throws JetStreamFailure. */
  has(stream: string): Promise<boolean>;
}

/** A server joins a cluster only by a restart; looked at again after this time nevertheless, since it need not be the one that we are connected to. */
const believedMs = 5_000;

interface Known {
  readonly answer: Promise<boolean>;
  readonly untilMs: number;
}

/** Asks the streams' leaders, now and then. */
export function openLoneStreams(nats: Nats, now: () => number): LoneStreams {
  const known = new Map<string, Known>();
  const stopListening = nats.onDisconnect(() => known.clear());
  const ask = (stream: string): Promise<boolean> => {
    const answer = askAgain(nats.connection, `STREAM.INFO.${stream}`, undefined).then(({ cluster = {} }) =>
      isLone(cluster),
    );
    const entry = { answer, untilMs: now() + believedMs };
    known.set(stream, entry);
    answer.catch(() => {
      if (known.get(stream) === entry) known.delete(stream);
    });
    return answer;
  };
  return {
    has: (stream) => {
      const entry = known.get(stream);
      return entry !== undefined && entry.untilMs > now() ? entry.answer : ask(stream);
    },
    [Symbol.dispose]: stopListening,
  };
}

/** A server that belongs to no cluster names itself only. */
function isLone({ name = "", replicas = [] }: NonNullable<JetStreamAnswer["cluster"]>): boolean {
  return name === "" && replicas.length === 0;
}
