import type { ParsedTask } from "./taskMessage.ts";
import { traceIdOf } from "./traceparent.ts";

/** What a line of the log says of a task: its run, step, attempt, method and trace. */
export interface AboutTask {
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
  readonly method: string;
  /** Left out when nobody keeps the trace. */
  readonly traceId: string | undefined;
}

/** The task in a line of the log. */
export function aboutTask({ runId, attempt, message }: ParsedTask): AboutTask {
  const { method, headers } = message;
  return { runId, step: attempt.step, attempt: attempt.attempt, method, traceId: traceIdOf(headers) };
}
