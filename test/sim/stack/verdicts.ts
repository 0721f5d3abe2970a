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
  const { logOf, credentials, plans } = stage;
  // What has been cut since counts as well.
  const subjects = new Set([names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)]);
  const messages = logOf(partition).messages.filter(({ subject }) => subjects.has(subject));
  let state: RunState | undefined;
  let plan: Stage["plans"][number] | undefined;
  for (const message of messages) {
    if (message.sequence > sequence) break;
    const fact = toFact(message, credentials);
    if (fact.kind !== "record") continue;
    const { record } = fact;
    if (record.fact.kind === "event" && record.fact.event.kind?.$case === "runStarted") {
      plan = plans[record.fact.event.kind.value.planHash[0] ?? 0];
      state = engine.newRun(runId);
    }
    if (plan !== undefined && state !== undefined) engine.advance(plan, state, record);
  }
  return state;
}
