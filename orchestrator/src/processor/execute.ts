import { attemptKey, stepKey } from "../../../proto/wire/attempt.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import {
  attemptHeader,
  compensatesHeader,
  idempotencyKeyHeader,
  runIdHeader,
  stepHeader,
  traceparentHeader,
  tracestateHeader,
} from "../../../proto/wire/headers.ts";
import { fromHex, parseRunId, toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { TaskEncoder } from "../../../proto/wire/taskBytes.ts";
import type { HeaderText } from "../../../proto/wire/taskBytes.ts";
import { Encoder } from "../../../proto/wire/encoder.ts";
import type { ArmTimer, CancelTimer, CloseAttempt, Command, EndRun, PublishTask } from "../engine/command.ts";
import { attemptTraceHeaders } from "../projection/traceContext.ts";
import { aboutRun } from "./aboutRun.ts";
import { startChild, stopChild, tellParent } from "./children.ts";
import { idempotencyKey, sha256 } from "./credentials.ts";
import { emitMessage } from "./emit.ts";
import { grantLock, releaseLock, requestLock } from "./locks.ts";
import { startRerun } from "./rerunStart.ts";
import type { Ownership } from "./ownership.ts";
import type { Timer, WriteLimits, Written } from "./ports.ts";
import type { ResidentRun } from "./residentRun.ts";
import { appendFailure, deferAfterMs, keep, release, settle } from "./settle.ts";
import type { Carry } from "./settle.ts";

const { toBytes } = new Encoder();
const { toBytes: toTaskBytes } = new TaskEncoder();

/** Timers due sooner are kept in memory; they hold the checkpoint back, so this is how far it may lag behind. */
const shortTimerMs = 2000;
/**
 * A later one is scheduled after this time, unless it has been cancelled by then: most runs end before, and cost no timer at all. It holds the
 * checkpoint back as well.
 */
const scheduleAfterMs = 1000;
/** A sidecar may begin a task unasked, or on an answer that was under way, this long after the attempt was closed. */
const startSlackMs = 2000;
/** After the longest time of the call this long is waited for an outcome that is under way. */
const outcomeSlackMs = 5000;
/** Held runs that are remembered, to be told of a release although they are not in memory then. */
const heldRunsMax = 10_000;
/** So much of a plan's hash tells it from others of the same method. */
const planBytes = 8;

/** Carries out what the engine asks for. Returns at once; the turn of `carry.hold` is done when all of it is durable. */
export function execute(owner: Ownership, run: ResidentRun, command: Command, carry: Carry): void {
  switch (command.kind) {
    case "publishTask":
      return publishTask(owner, run, command, carry);
    case "armTimer":
      return armTimer(owner, run, command, carry);
    case "cancelTimer":
      return cancelTimer(owner, run, command, carry);
    case "closeAttempt":
      return closeAttempt(owner, run, command, carry);
    case "endRun":
      return endRun(owner, run, command, carry);
    case "startChild":
      return startChild(owner, run, command, carry);
    case "stopChild":
      return stopChild(owner, run, command, carry);
    case "tellParent":
      return tellParent(owner, run, command, carry);
    case "emitMessage":
      return emitMessage(owner, run, command, carry);
    case "requestLock":
      return requestLock(owner, run, command, carry);
    case "releaseLock":
      return releaseLock(owner, run, command, carry);
    case "grantLock":
      return grantLock(owner, run, command, carry);
    case "startRerun":
      return startRerun(owner, run, command, carry);
    case "deleteRun":
      return owner.deletions.add({ runId: run.runId, askedAt: command.issuedAt, askedMs: carry.atMs });
  }
}

/** The end of a closed attempt need not come any more: its outcome has. */
export function cancelExpiry(owner: Ownership, run: ResidentRun, attempt: AttemptId, hold: number): void {
  unschedule(owner, run, expiryName(run, attempt), hold);
}

/** Tasks that were held back and are not any more are asked for now, and not only when their pause is over. */
export function askAgainForHeld(owner: Ownership, run: ResidentRun, hold: number): void {
  const { state } = run;
  // While it is loaded nobody knows.
  if (state?.started === undefined) return;
  owner.heldRuns.delete(run.runId);
  for (const { number, purpose } of state.timers.values()) {
    if (purpose.kind !== "held") continue;
    if (!isReleased(owner, run, number)) {
      owner.heldRuns.add(run.runId);
      continue;
    }
    fireEarly(owner, run, number, hold);
  }
}

/** Wherever the timer is armed, it is not needed there any more. */
function fireEarly(owner: Ownership, run: ResidentRun, number: number, hold: number): void {
  fire(owner, run, number, owner.clock.now(), hold);
  cancelTimer(owner, run, { kind: "cancelTimer", issuedAt: hold, number }, { hold, atMs: 0, recheck: false });
}

/** Is the timer the pause of a task that nobody holds back any more? */
function isReleased(owner: Ownership, run: ResidentRun, number: number): boolean {
  const { state } = run;
  const purpose = state?.timers.get(number)?.purpose;
  if (purpose?.kind !== "held" || state?.started === undefined) return false;
  const { id, publish } = purpose.attempt;
  return heldFor(owner, run, id, publish.method) === undefined;
}

/** Why a task is not written now: an operator holds it back, or no service that runs fits it. */
function heldFor(
  { heldBack, drift }: Ownership,
  { state, plan }: ResidentRun,
  { step }: AttemptId,
  method: string,
): { readonly reason: string; readonly held: true; readonly drift: boolean } | undefined {
  const asked = heldBack.reasonFor(state?.started?.workflow ?? "", method);
  if (asked !== undefined) return { reason: asked, held: true, drift: false };
  const drifted = plan === undefined ? undefined : drift.reasonFor(plan, method, step);
  return drifted === undefined ? undefined : { reason: drifted, held: true, drift: true };
}

/** Makes every timer in memory durable, so that the partition can be left. */
export function scheduleShortTimers(owner: Ownership, run: ResidentRun): void {
  for (const [number, timer] of run.shortTimers ?? []) {
    clearTimeout(timer.timeout);
    run.shortTimers?.delete(number);
    schedule(owner, run, number, timer.dueMs, timer.hold);
    release(owner, run, timer.hold);
  }
}

function publishTask(owner: Ownership, run: ResidentRun, command: PublishTask, { hold, recheck }: Carry): void {
  const { attempt, method } = command;
  const held = heldFor(owner, run, attempt, method);
  if (held !== undefined) {
    if (held.drift) owner.counts.drifts++;
    if (owner.heldRuns.size < heldRunsMax) owner.heldRuns.add(run.runId);
    appendFailure(owner, run, hold, { kind: "deferred", ...held }, { $case: "task", value: attempt });
    return;
  }
  const key = attemptKey(run.runId, attempt);
  const task = toTaskBytes({
    runId: fromHex(run.runId),
    partition: owner.partition,
    attempt,
    method,
    request: command.request,
    headers: toHeaders(run, command),
    timeoutMs: command.timeoutMs,
    token: owner.credentials.token(key),
    issuedAtSequence: command.issuedAt,
    issuedAtMs: command.issuedMs,
    recheck: recheck || command.isReissue,
    claim: command.claim,
    serverStreaming: command.stream !== undefined,
    messagesMax: command.stream?.messagesMax ?? 0,
    bytesMax: command.stream?.bytesMax ?? 0,
    requestPayload: command.payload,
    inlineBytesMax: run.state?.started?.limits?.payloadBytesMax ?? 0,
    plan: run.state?.started?.planHash.subarray(0, planBytes) ?? new Uint8Array(),
  });
  owner.counts.tasks++;
  const written = owner.tasks.publish(method, key, task, { signal: owner.signal, deferAfterMs });
  settle(owner, run, hold, written, { $case: "task", value: attempt });
}

/** Says that a task which stands in the queue waits for a service that fits. */
export function tellDrift(owner: Ownership, run: ResidentRun, attempt: AttemptId, reason: string): void {
  owner.counts.drifts++;
  if (owner.heldRuns.size < heldRunsMax) owner.heldRuns.add(run.runId);
  const hold = run.state?.lastSequence ?? 0;
  appendFailure(
    owner,
    run,
    hold,
    { kind: "deferred", reason, held: true, drift: true },
    { $case: "task", value: attempt },
  );
}

function toHeaders(run: ResidentRun, { headers, attempt, compensates }: PublishTask): readonly HeaderText[] {
  const { runId } = run;
  const made: HeaderText[] = [
    ...headers,
    { key: idempotencyKeyHeader, value: idempotencyKey(stepKey(runId, attempt)) },
    { key: runIdHeader, value: runId },
    { key: stepHeader, value: attempt.step },
    { key: attemptHeader, value: String(attempt.attempt) },
  ];
  if (compensates !== undefined)
    made.push({ key: compensatesHeader, value: idempotencyKey(stepKey(callerOf(run, compensates), compensates)) });
  const trace = attemptTraceHeaders(runId, run.state?.started?.trace, attempt, sha256);
  made.push({ key: traceparentHeader, value: trace.traceparent });
  if (trace.tracestate !== undefined) made.push({ key: tracestateHeader, value: trace.tracestate });
  return made;
}

/** The run that made a call: another one, where what it came to was taken over. */
function callerOf({ runId, plan, state }: ResidentRun, { step, phase }: AttemptId): RunId {
  const taken = phase === AttemptId_Phase.FORWARD ? state?.started?.rerun?.taken : undefined;
  const index = taken === undefined ? undefined : state?.steps.get(step)?.plan.index;
  const found = taken?.find((one) => one.index === index && plan?.steps[one.index]?.name === step);
  return (found === undefined ? undefined : parseRunId(found.runId)) ?? runId;
}

function armTimer(owner: Ownership, run: ResidentRun, { number, dueMs }: ArmTimer, { hold, recheck }: Carry): void {
  // The hold may have ended while the deferral was on its way.
  if (isReleased(owner, run, number)) return fireEarly(owner, run, number, hold);
  const inMs = Math.max(dueMs - owner.clock.now(), 0);
  const isShort = inMs <= shortTimerMs;
  if (recheck && !isShort) {
    // The last owner may have scheduled it: cancelling it has to reach the timer stream.
    schedule(owner, run, number, dueMs, hold);
    return;
  }
  keep(owner, run, hold);
  const timers = (run.shortTimers ??= new Map());
  const timeout = setTimeout(
    () => {
      timers.delete(number);
      if (!owner.isLive()) return;
      if (isShort) fire(owner, run, number, dueMs, hold);
      else schedule(owner, run, number, dueMs, hold);
      release(owner, run, hold);
    },
    isShort ? inMs : scheduleAfterMs,
  );
  timers.set(number, { timeout, hold, dueMs });
}

function fire(owner: Ownership, run: ResidentRun, number: number, dueMs: number, hold: number): void {
  const id = `${run.runId}/t${number}`;
  const written = owner.log.append(run.runId, id, timerFired(number, dueMs), { signal: owner.signal });
  settle(owner, run, hold, written, undefined);
}

function schedule(owner: Ownership, run: ResidentRun, number: number, dueMs: number, hold: number): void {
  const limits = { signal: owner.signal, deferAfterMs };
  const written = arm(owner, run, number, dueMs, timerFired(number, dueMs), limits);
  settle(owner, run, hold, written, { $case: "timer", value: number });
}

function arm(
  owner: Ownership,
  run: ResidentRun,
  name: number | string,
  dueMs: number,
  event: Uint8Array,
  limits: WriteLimits,
): Promise<Written> {
  const timer: Timer = { partition: owner.partition, runId: run.runId, name };
  const arming = (run.arming ??= new Map());
  const written = owner.timers.arm(timer, dueMs, event, limits);
  arming.set(name, written);
  return written.finally(() => arming.delete(name));
}

/** Cancels a schedule, once it is known to stand: a retry of its arming could overtake the cancellation. */
function unschedule(owner: Ownership, run: ResidentRun, name: number | string, hold: number): void {
  const timer: Timer = { partition: owner.partition, runId: run.runId, name };
  const cancel = (): Promise<Written> => owner.timers.cancel(timer, { signal: owner.signal, deferAfterMs });
  const arming = run.arming?.get(name);
  // One that can't be cancelled fires in vain.
  settle(owner, run, hold, arming === undefined ? cancel() : arming.then(cancel), undefined);
}

function timerFired(number: number, dueMs: number): Uint8Array {
  return Event.encode({ kind: { $case: "timerFired", value: { number, dueMs } } }).finish();
}

function cancelTimer(owner: Ownership, run: ResidentRun, { number }: CancelTimer, { hold }: Carry): void {
  const short = run.shortTimers?.get(number);
  if (short !== undefined) {
    clearTimeout(short.timeout);
    run.shortTimers?.delete(number);
    release(owner, run, short.hold);
    return;
  }
  unschedule(owner, run, number, hold);
}

/**
 * From now on everybody who asks is told `closed`. The last who could have begun it did so, asked or not, within `startSlackMs`; so what
 * counts as its end is known now and is scheduled, and outlives this owner.
 */
function closeAttempt(owner: Ownership, run: ResidentRun, command: CloseAttempt, { hold, atMs }: Carry): void {
  const { attempt, method, timeoutMs } = command;
  owner.control.reset(method, run.runId, attempt, owner.credentials.token(attemptKey(run.runId, attempt)));
  const event = Event.encode({ kind: { $case: "attemptExpired", value: { attempt } } }).finish();
  const dueMs = atMs + startSlackMs + timeoutMs + outcomeSlackMs;
  // Never deferred: nothing would ask for it again.
  const written = arm(owner, run, expiryName(run, attempt), dueMs, event, { signal: owner.signal });
  settle(owner, run, hold, written, undefined);
}

function expiryName(run: ResidentRun, attempt: AttemptId): string {
  return toHex(sha256(attemptKey(run.runId, attempt)).subarray(0, 12));
}

function endRun(owner: Ownership, run: ResidentRun, { ended, expectedEvent }: EndRun, { hold }: Carry): void {
  const event = toBytes(Event, { kind: { $case: "runEnded", value: ended } });
  owner.heldRuns.delete(run.runId);
  // Garbage on the run's subject moves its end without moving the state.
  const expected = Math.max(expectedEvent, run.seenEvent);
  keep(owner, run, hold);
  owner.log
    .appendAfter(run.runId, expected, event, { signal: owner.signal })
    .then((written) => {
      switch (written.kind) {
        case "abandoned":
          return;
        case "conflict":
          owner.endRefused(run, expected);
          break;
        case "rejected":
        case "deferred":
          owner.logger.error("the end of a run can't be stored; the run stays as it is", {
            ...aboutRun(run),
            reason: written.reason,
          });
          break;
        case "stored":
          break;
      }
      release(owner, run, hold);
    })
    .catch(owner.fail);
}
