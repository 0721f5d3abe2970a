import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { remembered } from "../../../proto/wire/remembered.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { decodeTask } from "./taskBytes.ts";

/** A task that says everything it must. */
export type ParsedTask = {
  readonly message: Task;
  readonly attempt: AttemptId;
  /** 32 hex digits. */
  readonly runId: string;
  /** The attempt as one string. */
  readonly key: string;
  readonly service: string;
  readonly methodName: string;
};

export type TaskReading =
  | { readonly kind: "task"; readonly task: ParsedTask }
  /** Not from an orchestrator of ours; `reason` is half a sentence. */
  | { readonly kind: "garbage"; readonly reason: string };

const methodForm = /^[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/;
const methodOf = remembered((method) => (methodForm.test(method) ? splitMethod(method) : undefined));

/** Reads the bytes of a task. The request within stays bytes. */
export function readTask(bytes: Uint8Array): TaskReading {
  let message: Task;
  try {
    message = decodeTask(bytes);
  } catch {
    return { kind: "garbage", reason: "it is not a task" };
  }
  const runId = parseRunId(message.runId);
  if (runId === undefined) return { kind: "garbage", reason: "its run id does not have 16 bytes" };
  if (message.attempt === undefined || message.attempt.step === "")
    return { kind: "garbage", reason: "it names no attempt" };
  if (message.token.length === 0) return { kind: "garbage", reason: "it has no token" };
  const method = methodOf(message.method);
  if (method === undefined) return { kind: "garbage", reason: "its method is not of the form package.Service/Method" };
  return {
    kind: "task",
    task: {
      message,
      attempt: message.attempt,
      runId,
      key: attemptKey(runId, message.attempt),
      service: method.service,
      methodName: method.name,
    },
  };
}
