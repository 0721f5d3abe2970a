import type { Command } from "./command.ts";
import { advance } from "./advance.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";
import { snapshotIn } from "./snapshot/resume.ts";
import { newRun } from "./state.ts";
import { isOpen } from "./step.ts";
import type { RunState } from "./state.ts";

/** Whether a run can go on by another plan. */
export type Migration =
  | { readonly kind: "can" }
  /** By its history it could, but a call is under way, or not known to be over. */
  | { readonly kind: "busy"; readonly step: string }
  /** At this record the other plan asks for something else: the first such place. */
  | { readonly kind: "differs"; readonly sequence: number; readonly step: string; readonly text: string }
  /** Its earliest events have been summed up, and can't be compared any more. */
  | { readonly kind: "summedUp" }
  | { readonly kind: "ended" };

/**
 * Whether a run can go on by another plan: all that has come to it, folded by that plan, asks for the very same at each point. Reads
 * nothing but its arguments; the records have the payloads that either plan reads.
 */
export function migrationOf(from: LoadedPlan, to: LoadedPlan, runId: string, records: readonly LogRecord[]): Migration {
  if (records.some((record) => snapshotIn(record) !== undefined)) return { kind: "summedUp" };
  const before = newRun(runId);
  const after = newRun(runId);
  for (const record of records) {
    const asked = advance(from, before, record);
    let other: readonly Command[];
    try {
      other = advance(to, after, record).commands;
    } catch (error) {
      return { kind: "differs", sequence: record.sequence, step: "", text: `it can't be folded: ${String(error)}` };
    }
    const difference = firstDifference(asked.commands, other);
    if (difference !== undefined) return { kind: "differs", sequence: record.sequence, ...difference };
  }
  if (before.phase === "ended" || before.phase === "void" || before.phase === "unstarted") return { kind: "ended" };
  if (before.phase !== after.phase)
    return { kind: "differs", sequence: before.lastSequence, step: "", text: `it would be ${after.phase}` };
  const busy = busyStep(before) ?? busyStep(after);
  return busy === undefined ? { kind: "can" } : { kind: "busy", step: busy };
}

/**
 * An outcome may come at any moment: while an attempt may be under way, and to a call that waits for its next attempt or for a person, for a late
 * success of an earlier one counts. Whoever migrates can make sure that no event has come since it looked, and of outcomes it can't.
 */
function busyStep({ attempts, steps, compensations, ending }: RunState): string | undefined {
  const [attempt] = attempts.values();
  const called = [...steps.values(), ...compensations.values()].find(
    (step) => step.call !== undefined && step.call.attempt > 0 && isOpen(step),
  );
  return attempt?.step.path ?? called?.path ?? (ending === undefined ? undefined : "");
}

function firstDifference(
  asked: readonly Command[],
  other: readonly Command[],
): { readonly step: string; readonly text: string } | undefined {
  for (let at = 0; at < Math.max(asked.length, other.length); at++) {
    const one = asked[at];
    const two = other[at];
    if (one !== undefined && two !== undefined && isSame(one, two)) continue;
    const step = stepOf(one) || stepOf(two);
    return { step, text: `its version asks for ${nameOf(one)}, the other one for ${nameOf(two, one)}` };
  }
  return undefined;
}

function nameOf(command: Command | undefined, like?: Command): string {
  if (command === undefined) return "nothing";
  const step = stepOf(command);
  const name = `${wordsOf(command)}${step === "" ? "" : ` of ${step}`}`;
  return like !== undefined && like.kind === command.kind && stepOf(like) === step
    ? `${name} with other content`
    : name;
}

function wordsOf(command: Command): string {
  switch (command.kind) {
    case "publishTask":
      return `a call of ${command.method}`;
    case "closeAttempt":
      return "an end of a call";
    case "armTimer":
      return `timer ${command.number}`;
    case "cancelTimer":
      return `no timer ${command.number}`;
    case "endRun":
      return "its end";
    case "startChild":
      return "a child run";
    case "stopChild":
      return "a stop of a child run";
    case "tellParent":
      return "an answer to its parent";
    case "emitMessage":
      return "a message";
    case "requestLock":
    case "releaseLock":
    case "grantLock":
      return `lock ${command.lock}`;
    case "deleteRun":
      return "its deletion";
    case "startRerun":
      return "a rerun";
  }
}

function stepOf(command: Command | undefined): string {
  if (command === undefined) return "";
  if ("at" in command) return command.at.step;
  return "attempt" in command ? command.attempt.step : "";
}

/** Equal data, bytes by their values. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (one instanceof Uint8Array && other instanceof Uint8Array)
    return one.length === other.length && one.every((byte, at) => byte === other[at]);
  const left = Object.entries(one);
  const right = new Map(Object.entries(other));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && isSame(value, right.get(key)));
}
