import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  AttemptId,
  CommandRejected,
  Event,
  RunEnded,
  StepId,
} from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { run_StateFromJSON } from "../../../../proto/gen/sidestep/v1/run.ts";
import { Failure_Origin as Origin } from "../../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../../proto/wire/status.ts";
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
  const refusal = turn.refusal === "" ? [] : [`(refused: ${turn.refusal})`];
  if (turn.commands.length > 0) return [...turn.commands.map(showCommand), ...refusal];
  if (refusal.length > 0) return refusal;
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
        signalsMax: Number(options.get("signals") ?? 0),
        yieldsMax: Number(options.get("yields") ?? 0),
        yieldsBytesMax: Number(options.get("yieldBytes") ?? 0),
        turnStepsMax: Number(options.get("turn") ?? 0),
      };
      const parent = options.has("parent")
        ? { runId: new Uint8Array(16), step: options.get("parent") ?? "", generation: 0 }
        : undefined;
      return { $case: "runStarted", value: makeStarted({ issuedMs, bounds, parent, metadata: { tenant: "acme" } }) };
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
      return {
        $case: "retryRequested",
        value: { ...request, ...parseStepName(first), reason: rest(1), backoff: false },
      };
    case "retryNow":
      return {
        $case: "retryRequested",
        value: { ...request, ...parseStepName(first), reason: rest(1), backoff: true },
      };
    case "fail":
      return { $case: "failRequested", value: { ...request, ...parseStepName(first), reason: rest(1) } };
    case "rejected":
      return { $case: "commandRejected", value: { command: parseCommand(first, second), reason: rest(2) } };
    case "deferred":
    case "held":
      return {
        $case: "commandDeferred",
        value: { command: parseCommand(first, second), reason: rest(2), held: verb === "held", drift: false },
      };
    case "signal":
      return {
        $case: "signalReceived",
        value: { name: first, payload: toBytes(second), id: options.get("id") ?? "", actor: "" },
      };
    case "approve":
    case "reject":
      return {
        $case: "decisionMade",
        value: {
          step: first === "-" ? "" : first,
          approved: verb === "approve",
          form: toBytes(options.get("form") ?? ""),
          by: options.get("by") ?? "",
          comment: unquoted(options.get("comment") ?? ""),
          requestId: options.get("id") ?? "",
          actor: "",
        },
      };
    case "skip":
      return { $case: "skipRequested", value: { ...request, ...parseStepName(first), result: toBytes(second) } };
    case "patch":
      return { $case: "patchRequested", value: { ...request, ...parseStepName(first), request: toBytes(second) } };
    case "compensate":
      return { $case: "compensateRequested", value: { ...request, step: first, reason: rest(1) } };
    case "pause":
      return { $case: "pauseRequested", value: request };
    case "resume":
      return { $case: "resumeRequested", value: request };
    case "delete":
      return { $case: "deleteRequested", value: request };
    case "rerun": {
      const value = { ...request, step: first, reason: rest(1), runId: new Uint8Array(16).fill(7) };
      return { $case: "rerunRequested", value };
    }
    case "childStarted":
      return { $case: "childStarted", value: { step: parseStepId(first), runId: new Uint8Array(16) } };
    case "childRefused":
      return { $case: "childRefused", value: { step: parseStepId(first), status: toStatus(words.slice(1)) } };
    case "childEnded":
      return {
        $case: "childEnded",
        value: { step: parseStepId(first), runId: new Uint8Array(16), ended: toEnd(words.slice(1)) },
      };
    case "granted":
      return { $case: "lockGranted", value: { step: parseStepId(first), lock: unquoted(second) } };
    case "emitted":
      return { $case: "emitted", value: { step: parseStepId(first) } };
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

function parseCommand(kind: string, name: string): CommandRejected["command"] {
  switch (kind) {
    case "task":
      return { $case: "task", value: parseAttempt(name) };
    case "emit":
    case "child":
    case "lock":
      return { $case: kind, value: parseStepId(name) };
    default:
      return { $case: "timer", value: Number(name) };
  }
}

/** "ship", or "ship/g1" in a later generation. */
function parseStepId(text: string): StepId {
  const [, step = "", generation = "0"] = /^(.*?)(?:\/g(\d+))?$/.exec(text) ?? [];
  return { step, generation: Number(generation) };
}

function unquoted(text: string): string {
  return text.replace(/^'|'$/g, "");
}

function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(unquoted(text));
}

/** "NOT_FOUND 'gone'" */
function toStatus([name = "", message = ""]: readonly string[]): RpcStatus {
  return { code: code[name as CodeName], message: unquoted(message), details: [] };
}

/** "COMPLETED 'answer'", with kept=300000 where the response of that size is kept apart and has been loaded, if at all; or "FAILED NOT_FOUND 'gone'". */
function toEnd([state = "", ...rest]: readonly string[]): RunEnded {
  const isCompleted = state === "COMPLETED";
  const kept = toOptions(rest).get("kept");
  return {
    state: run_StateFromJSON(state),
    response: isCompleted ? toBytes(rest[0] ?? "") : new Uint8Array(),
    status: isCompleted ? undefined : toStatus(rest),
    step: "",
    responsePayload:
      kept === undefined
        ? undefined
        : { service: "_", id: "1", chunks: 1, sizeBytes: Number(kept), runId: "", key: new Uint8Array() },
  };
}

/** "reserve#2", or "undo:reserve#1" for its compensation. */
function parseAttempt(text: string): AttemptId {
  const match = /^(undo:|verify:)?(.*?)(?:\/g(\d+))?#(\d+)$/.exec(text);
  if (match === null) throw new Error(`not an attempt: '${text}'`);
  const phase = match[1] === undefined ? Phase.FORWARD : match[1] === "undo:" ? Phase.COMPENSATE : Phase.VERIFY;
  return { step: match[2] ?? "", generation: Number(match[3] ?? 0), phase, attempt: Number(match[4]) };
}

function parseStepName(text: string): { readonly step: string; readonly compensation: boolean } {
  return { step: text.replace(/^undo:/, ""), compensation: text.startsWith("undo:") };
}
