import { toFact } from "../../../orchestrator/src/processor/fact.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { AskReply_Verdict as Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { engine } from "../engine.ts";
import { names } from "./log.ts";
import type { Stage } from "./stage.ts";

/** PROTOCOL §12.9: "closed" says what the log says; "open" means that the attempt was not over when the sidecar asked. */
export function watchVerdicts(stage: Stage): void {
  const { core, logOf, world } = stage;
  core.endOf = (partition) => logOf(partition).messages.length;
  core.onVerdict = (partition, { runId: bytes, attempt }, askedAt, verdict) => {
    if (attempt === undefined || (verdict !== Verdict.OPEN && verdict !== Verdict.CLOSED)) return;
    const runId = toHex(bytes);
    const state = foldUpTo(stage, partition, runId, verdict === Verdict.OPEN ? askedAt : Infinity);
    if (state === undefined) return;
    const isClosed = engine.attemptStanding(state, attempt) === "closed";
    if (isClosed !== (verdict === Verdict.CLOSED))
      world.violations.push(`9: ${runId}/${attempt.step} was called ${isClosed ? "open" : "closed"}, which it was not`);
  };
}

function foldUpTo(stage: Stage, partition: number, runId: string, sequence: number): RunState | undefined {
  const { logOf, credentials, planOf } = stage;
  // What has been cut since counts as well.
  const subjects = new Set([names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)]);
  const records = logOf(partition).messages.flatMap((message) => {
    const fact =
      subjects.has(message.subject) && message.sequence <= sequence ? toFact(message, credentials) : undefined;
    return fact?.kind === "record" ? [fact.record] : [];
  });
  const started = engine.startIn(records);
  const plan = started === undefined ? undefined : planOf({ started });
  if (plan === undefined) return undefined;
  const state = engine.newRun(runId);
  for (const record of records) engine.advance(plan, state, record);
  return state;
}
