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
 * Publishes an outcome until it is stored. Its message id is the token with a digest of the outcome: a second try is dropped by the
 * stream, and a success is never swallowed by an earlier failure.
 */
export async function reportOutcome(
  publisher: Publisher,
  names: Names,
  task: ParsedTask,
  outcome: Outcome,
  options: { readonly signal: AbortSignal; readonly onRetry: (answer: Published) => void },
): Promise<Reported> {
  const body = toBytes(Outcome, outcome);
  const digest = hash("sha256", body, "hex").slice(0, 32);
  const subject = names.outSubject(task.service, task.message.partition, task.runId);
  const answer = await publishDurably(
    publisher,
    names.logStream(task.message.partition),
    subject,
    body,
    messageIdLine(`${toHex(task.message.token)}.${digest}`),
    options,
  );
  switch (answer.kind) {
    case "stored":
      return { kind: "stored" };
    case "conflict":
    case "permanent":
      return { kind: "rejected", reason: answer.message };
    case "retryable":
      return { kind: "stopped" };
  }
}
