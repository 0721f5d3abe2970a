import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Failure } from "./failure.ts";
import { failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What is done with a run of that id; one that is none: INVALID_ARGUMENT. */
export async function ofRun<T>(text: string, work: (runId: RunId) => Promise<Answered<T>>): Promise<Answered<T>> {
  const runId = parseRunId(text);
  return runId === undefined ? failed(invalidRunId(text)) : work(runId);
}

/** It is no run id. */
export function invalidRunId(text: string): Failure {
  const message = `${JSON.stringify(text.slice(0, 100))} is no run id: 32 hex digits in lower case were expected`;
  return { code: code.INVALID_ARGUMENT, message, reason: "INVALID_RUN_ID" };
}
