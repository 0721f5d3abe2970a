import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId, Event } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { Failure_Origin as Origin } from "../../../../proto/gen/sidestep/internal/v1/task.ts";
import type { CodeName } from "../../../../proto/wire/status.ts";
import { advance } from "../advance.ts";
import type { LoadedPlan } from "../plan.ts";
import type { LogRecord } from "../record.ts";
import { newRun } from "../state.ts";
import type { RunState } from "../state.ts";
import { parseMs } from "./expression.ts";
import { makePlan } from "./plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./records.ts";
import { parsePlan, toOptions, toWords } from "./script.ts";
import { showCommand, showState } from "./show.ts";

/**
 * Runs a transcript and returns it with the answers below each `----` written anew. `between` gives the state with which the next record
 * goes on.
 */
export function replayTranscript(
  text: string,
  between: (plan: LoadedPlan, state: RunState) => RunState = (_, state) => state,
): string {
  const [head = "", ...blocks] = text.trimEnd().split(/\n\n/);
  const plan = makePlan(parsePlan(head.split("\n")));
  let state = newRun(testRunId);
  let sequence = 0;
  const answered = blocks.map((block) => {
    const [question = ""] = block.split("\n----");
    const answers: string[] = [];
    for (const line of question.split("\n").filter((it) => !it.startsWith("#"))) {
      sequence += 1;
      answers.push(...answer(plan, state, parseRecord(state, sequence, line)));
      state = between(plan, state);
    }
    return `${question}\n----\n${answers.join("\n")}\n${showState(state)}`;
  });
  return `${[head, ...answered].join("\n\n")}\n`;
}

function answer(plan: LoadedPlan, state: RunState, record: LogRecord): readonly string[] {
  const turn = advance(plan, state, record);
  if (turn.commands.length > 0) return turn.commands.map(showCommand);
  return [turn.ignored ? "(ignored)" : "(nothing)"];
}

/** "2.05s failed reserve#1 UNAVAILABLE connection dropped unsent" and its kin; transcripts show them all. */
function parseRecord(state: RunState, sequence: number, line: string): LogRecord {
  const [time = "", verb = "", ...words] = toWords(line);
  const atMs = parseMs(time);
  const event = parseEvent(state, verb, words);
  if (event !== undefined) return eventAt(sequence, atMs, event);
  return parseOutcome(sequence, atMs, verb, words);
}

function parseEvent(state: RunState, verb: string, words: readonly string[]): Event["kind"] {
  const options = toOptions(words);
  const [first = "", second = ""] = words;
  const rest = (from: number): string => words.slice(from).join(" ");
  const request = { reason: rest(0), actor: "", requestId: options.get("id") ?? "" };
  switch (verb) {
    case "started": {
      const issuedMs = options.has("issued") ? parseMs(options.get("issued") ?? "") : 0;
      const bounds = {
        pendingStepsMax: Number(options.get("steps") ?? 0),
        payloadBytesMax: Number(options.get("payload") ?? 0),
        itemsMax: Number(options.get("items") ?? 0),
        parallelMax: Number(options.get("atOnce") ?? 0),
      };
      return { $case: "runStarted", value: makeStarted({ issuedMs, bounds, metadata: { tenant: "acme" } }) };
    }
    case "fired":
      return { $case: "timerFired", value: { number: Number(first), dueMs: 0 } };
    case "expired":
      return { $case: "attemptExpired", value: { attempt: parseAttempt(first) } };
    case "cancel":
      return { $case: "cancelRequested", value: request };
    case "terminate":
      return { $case: "terminateRequested", value: request };
    case "retry":
      return { $case: "retryRequested", value: { ...request, ...parseStepName(first), reason: rest(1) } };
    case "fail":
      return { $case: "failRequested", value: { ...request, ...parseStepName(first), reason: rest(1) } };
    case "rejected":
      return { $case: "commandRejected", value: { command: parseCommand(first, second), reason: rest(2) } };
    case "deferred":
      return { $case: "commandDeferred", value: { command: parseCommand(first, second), reason: rest(2) } };
    case "ended":
      if (state.ending === undefined) throw new Error("the run has not asked for its end");
      return { $case: "runEnded", value: state.ending.ended };
    default:
      return undefined;
  }
}

function parseOutcome(sequence: number, atMs: number, verb: string, words: readonly string[]): LogRecord {
  const [target = "", ...rest] = words;
  const attempt = parseAttempt(target);
  const options = toOptions(rest);
  const flags = new Set(rest);
  const more = {
    authentic: !flags.has("forged"),
    sent: !flags.has("unsent"),
    recheck: flags.has("recheck"),
    delivery: Number(options.get("delivery") ?? 1),
  };
  switch (verb) {
    case "completed": {
      const bytes = new TextEncoder().encode((rest[0] ?? "").replace(/^'|'$/g, ""));
      return outcomeAt(sequence, atMs, attempt, { $case: "completed", value: bytes }, more);
    }
    case "failed": {
      const retryAfter = options.get("after");
      const failure = makeFailure((rest[0] ?? "UNKNOWN") as CodeName, (rest[1] ?? "").replace(/^'|'$/g, ""), {
        origin: flags.has("transport") ? Origin.TRANSPORT : Origin.SERVICE,
        ...(retryAfter === undefined ? {} : { retryAfterMs: parseMs(retryAfter) }),
      });
      return outcomeAt(sequence, atMs, attempt, { $case: "failed", value: failure }, more);
    }
    case "claimed":
      return outcomeAt(sequence, atMs, attempt, { $case: "started", value: {} }, more);
    case "inDoubt":
      return outcomeAt(sequence, atMs, attempt, { $case: "inDoubt", value: {} }, more);
    default:
      throw new Error(`not an event: '${verb}'`);
  }
}

function parseCommand(
  kind: string,
  name: string,
): { $case: "task"; value: AttemptId } | { $case: "timer"; value: number } {
  return kind === "task" ? { $case: "task", value: parseAttempt(name) } : { $case: "timer", value: Number(name) };
}

/** "reserve#2", or "undo:reserve#1" for its compensation. */
function parseAttempt(text: string): AttemptId {
  const match = /^(undo:)?(.*)#(\d+)$/.exec(text);
  if (match === null) throw new Error(`not an attempt: '${text}'`);
  const phase = match[1] === undefined ? Phase.FORWARD : Phase.COMPENSATE;
  return { step: match[2] ?? "", generation: 0, phase, attempt: Number(match[3]) };
}

function parseStepName(text: string): { readonly step: string; readonly compensation: boolean } {
  return { step: text.replace(/^undo:/, ""), compensation: text.startsWith("undo:") };
}
