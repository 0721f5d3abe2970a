import { Ask, AskReply } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { ParsedTask } from "../core/taskMessage.ts";
import { Requests } from "./requests.ts";
import type { Answer } from "./requests.ts";

// An owner may take 2 s to fold up to the end of the log.
const answerWithinMs = 3_000;

/** Asks the owner of the run's partition; undefined when nobody answers in time. */
export type AskOwner = (task: ParsedTask, ask: Ask) => Promise<AskReply_Verdict | undefined>;

/** Questions to owners over one connection, for as long as it is there. */
export function openAsks(nats: Pick<Nats, "connection" | "onReconnect">, names: Names): AskOwner {
  const requests = new Requests(nats.connection);
  // Not only when the answer's time is over. Before there is another connection nobody can be asked again, and what is said of the task would be lost: the
  // client drops what was written while it looks for a server.
  nats.onReconnect(() => requests.giveUp());
  return ({ service, message }, ask) => {
    const subject = names.askSubject(service, message.partition);
    const { promise, resolve } = Promise.withResolvers<AskReply_Verdict | undefined>();
    try {
      requests.ask(subject, Ask.encode(ask).finish(), answerWithinMs, (answer) => resolve(verdictOf(answer)));
    } catch {
      // The connection is being closed.
      resolve(undefined);
    }
    return promise;
  };
}

/** No responders, a timeout, an answer that is none: all say that nothing may be believed. */
function verdictOf(answer: Answer): AskReply_Verdict | undefined {
  if (answer.kind !== "answer") return undefined;
  try {
    return AskReply.decode(answer.data).verdict;
  } catch {
    return undefined;
  }
}
