import { hash } from "node:crypto";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { Encoder } from "../../../proto/wire/encoder.ts";
import { publishDurably } from "../../../runtime/src/publishDurably.ts";
import { messageIdLine } from "../../../runtime/src/publisher.ts";
import type { Published, Publisher } from "../../../runtime/src/publisher.ts";
import type { ParsedTask } from "../core/taskMessage.ts";
import type { Reported } from "../ports.ts";

const { toBytes } = new Encoder();

/**
 * Publishes outcomes until they are stored. The message id of each is the token with a digest of the outcome: a second try is dropped by the
 * stream, and a success is never swallowed by an earlier failure.
 */
export function outcomeReporter(
  publisher: Publisher,
  names: Names,
  options: { readonly signal: AbortSignal; readonly onRetry: (answer: Published) => void },
): (task: ParsedTask, outcome: Outcome) => Promise<Reported> {
  return (task, outcome) => {
    const { partition, token } = task.message;
    const body = toBytes(Outcome, outcome);
    const digest = hash("sha256", body, "hex").slice(0, 32);
    const subject = names.outSubject(task.service, partition, task.runId);
    const id = messageIdLine(`${toHex(token)}.${digest}`);
    return publishDurably(publisher, names.logStream(partition), subject, body, id, options).then(toReported);
  };
}

const stored: Reported = { kind: "stored" };

function toReported(answer: Published): Reported {
  switch (answer.kind) {
    case "stored":
      return stored;
    case "conflict":
    case "permanent":
      return { kind: "rejected", reason: answer.message };
    case "retryable":
      return { kind: "stopped" };
  }
}
