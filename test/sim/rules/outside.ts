import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { StoredMessage } from "../performed.ts";
import { givenResult } from "../people.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import type { Judge } from "./judge.ts";
import { checkRerun } from "./reruns.ts";
import type { Refolded } from "./run.ts";
import type { SeenSignal, Tenure } from "./watch.ts";

/** All runs of a seed, each folded from its log, and what they had to do with each other and with people. */
export interface Together {
  readonly runs: ReadonlyMap<string, Refolded>;
  readonly records: readonly StoredRecord[];
  readonly messages: readonly StoredMessage[];
  /** Whether times of different logs can be compared. */
  readonly isOneClock: boolean;
}

/** What must hold of several runs and of what they left outside. */
export function checkTogether(judge: Judge, all: Together): void {
  for (const run of all.runs.values()) {
    const tell = (rule: string): void => void judge.violations.push(`${rule} (${run.runId})`);
    for (const rule of run.watched.broken) tell(rule);
    checkSignals(run, tell);
    checkYields(run, tell);
    checkLeft(run, tell);
    checkMessages(judge, all, run, tell);
    checkParent(all, run, tell);
    checkStops(all, run, tell);
    checkRerun(all.runs, run, tell);
  }
  checkLocks(judge, all);
}

/** I7: each signal that was accepted is taken once, the oldest of its name first, or still kept. */
function checkSignals({ watched, state }: Refolded, tell: (rule: string) => void): void {
  const { accepted, taken, endedUnseen, kept } = watched;
  if (accepted.length === 0 && taken.length === 0) return;
  const places = new Map(accepted.map((signal, n) => [nameOf(signal), n]));
  if (places.size !== accepted.length) tell("I7: a signal was accepted twice");
  const seen = [...taken, ...kept].map(nameOf);
  if (new Set(seen).size !== seen.length) tell("I7: a signal was taken twice");
  if (seen.some((name) => !places.has(name))) tell("I7: a signal was taken that was not accepted");
  if (state.ended !== undefined && seen.length + endedUnseen < accepted.length) tell("I7: an accepted signal is lost");
  const last = new Map<string, number>();
  for (const signal of [...taken, ...kept]) {
    const place = places.get(nameOf(signal)) ?? 0;
    if (place < (last.get(signal.name) ?? -1)) tell(`I7: ${nameOf(signal)} was overtaken`);
    last.set(signal.name, place);
  }
}

function nameOf({ name, payload }: SeenSignal): string {
  return `${name} ${payload}`;
}

/** I14: what was yielded is numbered from 0 without gaps, and kept as it was told. */
function checkYields({ transitions, state }: Refolded, tell: (rule: string) => void): void {
  const yielded = transitions.filter((it) => it.kind === "yielded");
  if (yielded.some(({ number }, n) => number !== n)) tell("I14: yields are not numbered one after the other");
  const { first, messages } = state.yields;
  if (first + messages.length !== yielded.length) tell("I14: a yielded message is lost");
  if (messages.some((bytes, n) => bytes !== yielded[first + n]?.message)) tell("I14: a yielded message is another one");
}

/** I17: an ended run holds nothing that could move it. */
function checkLeft({ state }: Refolded, tell: (rule: string) => void): void {
  if (state.ended === undefined) return;
  const left = [
    state.attempts,
    state.timers,
    state.incidents,
    state.listeners,
    state.approvals,
    state.awaiting,
    state.locks,
    state.parked,
  ].some(({ size }) => size > 0);
  if (left || state.signals.length > 0 || state.worklist.length > 0)
    tell("I17: an ended run still waits for something");
}

/** Each emitted message is in the stream when its step completes; none is without its step, or comes once the run has ended. */
function checkMessages(
  { isQuiet }: Judge,
  { messages, isOneClock }: Together,
  { runId, transitions, state }: Refolded,
  tell: (rule: string) => void,
): void {
  const own = messages.filter((it) => it.runId === runId);
  const asked = new Set<string>();
  const given = new Set<string>();
  for (const it of transitions) {
    if (it.kind === "stepBegan" && it.plan.action.kind === "emit") asked.add(it.address.step);
    if (it.kind === "incidentOpened") given.add(it.address.step);
    if (it.kind !== "stepEnded" || it.plan.action.kind !== "emit" || it.result !== "completed") continue;
    const { step, phase } = it.address;
    if (phase !== 0 || given.has(step)) continue;
    const stored = own.find((message) => message.step === step);
    if (stored === undefined) tell(`the message of ${step} was never stored`);
    else if (isOneClock && stored.storedAt > it.endedMs) tell(`${step} completed before its message was stored`);
  }
  const steps = new Set(own.map(({ step }) => step));
  for (const step of steps) {
    const first = own.find((message) => message.step === step);
    if (!asked.has(step)) tell(`a message of ${step} was stored, which never began`);
    const mayBeLate = state.ended?.state === Run_State.TERMINATED || given.has(step);
    if (!given.has(step) && own.some((message) => message.step === step && message.id !== first?.id))
      tell(`6: the message of ${step} has two ids`);
    if (isOneClock && !mayBeLate && (first?.storedAt ?? 0) > state.endedMs)
      tell(`the message of ${step} came after the end of its run`);
  }
  if (isQuiet && steps.size !== own.length) tell("3: without faults a message was stored twice");
}

/** PROTOCOL §9: a run that is waited for ends before the step that waits for it, which ends as it did. */
function checkParent({ runs, isOneClock }: Together, run: Refolded, tell: (rule: string) => void): void {
  const { parent } = run.state.started ?? {};
  if (parent === undefined) return;
  const waiting = runs.get(toHex(parent.runId));
  if (waiting === undefined) {
    tell("a child has a parent that there is not");
    return;
  }
  const { state } = waiting;
  const began = waiting.transitions.some((it) => it.kind === "stepBegan" && it.address.step === parent.step);
  if (!began) tell(`a child of ${parent.step}, which never began`);
  if (state.ended === undefined || run.state.ended === undefined) return;
  const wasAsked = waiting.transitions.some((it) => it.kind === "incidentOpened" && it.address.step === parent.step);
  const isGivenUp = state.ended.state === Run_State.TERMINATED || wasAsked;
  if (isOneClock && !isGivenUp && run.state.endedMs > state.endedMs) tell("a child outlives its parent");
  const step = state.steps.get(parent.step);
  if (step === undefined || isGivenUp) return;
  const { kind } = step.state;
  const text = new TextDecoder().decode(step.result?.bytes);
  if (kind === "completed" && text !== givenResult && !isResultOf(text, run.state.ended))
    tell(`${parent.step} has a result that its child did not give`);
  if (kind === "failed" && run.state.ended.state === Run_State.COMPLETED)
    tell(`${parent.step} has failed, and its child has not`);
}

function isResultOf(text: string, { state, response }: RunEnded): boolean {
  return state === Run_State.COMPLETED && text === new TextDecoder().decode(response);
}

/** A child that was given up has been told so, or never began. */
function checkStops({ records }: Together, { runId, commands }: Refolded, tell: (rule: string) => void): void {
  for (const command of commands) {
    if (command.kind !== "stopChild") continue;
    const childId = childRunId(runId as RunId, command.at.step, command.at.generation);
    const kinds = records.flatMap((it) =>
      it.runId === childId && it.record.fact.kind === "event" ? [it.record.fact.event.kind?.$case] : [],
    );
    const wanted = command.how === "cancel" ? "cancelRequested" : "terminateRequested";
    if (kinds[0] !== "childRefused" && !kinds.includes(wanted))
      tell(`the child of ${command.at.step} was not told that it is given up`);
  }
}

/** A lock has one holder at a time, as holders know it, and none at the end. */
function checkLocks(judge: Judge, { runs, isOneClock }: Together): void {
  const byLock = new Map<string, (Tenure & { readonly runId: string })[]>();
  for (const { runId, watched } of runs.values()) {
    for (const tenure of watched.tenures) {
      const all = byLock.get(tenure.lock) ?? [];
      all.push({ ...tenure, runId });
      byLock.set(tenure.lock, all);
    }
  }
  for (const [lock, tenures] of byLock) {
    if (tenures.some(({ toMs }) => toMs === Infinity)) judge.violations.push(`10: the lock ${lock} was not given back`);
    if (!isOneClock) continue;
    const inOrder = tenures.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
    for (const [n, { fromMs, runId }] of inOrder.entries()) {
      const before = inOrder[n - 1];
      if (before !== undefined && before.toMs > fromMs)
        judge.violations.push(`the lock ${lock} was held by ${before.runId} and by ${runId} at the same time`);
    }
  }
}
