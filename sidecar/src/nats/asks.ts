import { Ask, AskReply } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { ParsedTask } from "../core/taskMessage.ts";

// An owner may take 2 s to fold up to the end of the log.
const answerWithinMs = 3_000;

/** Asks the owner of the run's partition; undefined when nobody answers in time. */
export async function askOwner(
  nats: Nats,
  names: Names,
  task: ParsedTask,
  ask: Ask,
): Promise<AskReply_Verdict | undefined> {
  const subject = names.askSubject(task.service, task.message.partition);
  try {
    const reply = await nats.connection.request(subject, Ask.encode(ask).finish(), { timeout: answerWithinMs });
    return AskReply.decode(reply.data).verdict;
  } catch {
    // No responders, a timeout, a lost connection, an answer that is none: all say that nothing may be believed.
    return undefined;
  }
}
