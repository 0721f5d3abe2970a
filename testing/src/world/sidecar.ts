import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { PublishTask } from "../../../orchestrator/src/engine/command.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey, stepKey } from "../../../proto/wire/attempt.ts";
import { code } from "../../../proto/wire/status.ts";
import { retryAfterMs } from "../../../sidecar/src/core/retryAfter.ts";
import type { Clock } from "../partition/clock.ts";
import { goodToken } from "../partition/log.ts";
import type { PartitionLog } from "../partition/log.ts";
import type { AnswerCall, CallEnd, ServiceCall } from "./call.ts";
import { purposeOf } from "./purpose.ts";

/** What a sidecar asks about an attempt, and is told. */
export interface Question {
  readonly runId: string;
  readonly attempt: AttemptId;
  readonly sidecarId: string;
  readonly delivery: number;
  readonly isClaimed: boolean;
}
export type Verdict = "open" | "closed" | "doubt" | "not now";

/** A call that a service got, and how it went. */
export interface MadeCall extends ServiceCall {
  /** Undefined: it is under way. */
  readonly end: CallEnd | undefined;
}

/** The sidecars of all services. */
export interface Sidecars {
  /** In the order in which they were made. */
  readonly calls: readonly MadeCall[];
  /** Answers that are waited for in real time. */
  readonly underWay: ReadonlySet<Promise<void>>;
  /** A task is there; of one id, once. */
  take(runId: string, task: PublishTask, recheck: boolean): void;
  /** Breaks off the call of an attempt, if it is under way. */
  reset(runId: string, attempt: AttemptId): void;
}

export interface SidecarGround {
  readonly clock: Clock;
  readonly log: PartitionLog;
  readonly answer: AnswerCall;
  readonly ask: (question: Question) => Verdict;
  readonly onOrchestratorDeath: () => void;
}

/** A task that nobody acknowledges is delivered again after this. */
const ackWaitMs = 3_000;
const askAgainMs = 500;

/** Opens them: calls begin as soon as their tasks are there, and what they come to is stored at once. */
export function openSidecars(ground: SidecarGround): Sidecars {
  const me: Me = { ...ground, calls: [], underWay: new Set(), running: new Map(), lives: 1 };
  const taken = new Set<string>();
  return {
    calls: me.calls,
    underWay: me.underWay,
    take(runId, task, recheck) {
      const key = attemptKey(runId, task.attempt);
      if (taken.has(key)) return;
      taken.add(key);
      ground.clock.after(0, () => admit(me, { runId, task, key, recheck, delivery: 1 }));
    },
    reset(runId, attempt) {
      const running = me.running.get(attemptKey(runId, attempt));
      if (running !== undefined) ground.clock.after(0, running);
    },
  };
}

interface Me extends SidecarGround {
  readonly calls: MadeCall[];
  readonly underWay: Set<Promise<void>>;
  /** How calls are broken off, by attempt. */
  readonly running: Map<string, () => void>;
  /** Sidecars so far: each that dies is followed by another. */
  lives: number;
}

interface Delivery {
  readonly runId: string;
  readonly task: PublishTask;
  readonly key: string;
  readonly recheck: boolean;
  readonly delivery: number;
}

/** docs/protocol.md: asks before it runs anything that somebody may have run. */
function admit(me: Me, delivery: Delivery): void {
  if (!delivery.recheck && delivery.delivery === 1) claim(me, delivery);
  else asking(me, delivery, false, () => claim(me, delivery));
}

function asking(me: Me, delivery: Delivery, isClaimed: boolean, onOpen: () => void): void {
  const { runId, task } = delivery;
  const question = { runId, attempt: task.attempt, sidecarId: nameOf(me), delivery: delivery.delivery, isClaimed };
  const verdict = me.ask(question);
  switch (verdict) {
    case "open":
      onOpen();
      return;
    case "closed":
      return;
    case "doubt":
      report(me, delivery, { $case: "inDoubt", value: {} }, false, me.clock.now);
      return;
    case "not now":
      me.clock.after(askAgainMs, () => asking(me, delivery, isClaimed, onOpen));
  }
}

function claim(me: Me, delivery: Delivery): void {
  if (!delivery.task.claim) {
    call(me, delivery);
    return;
  }
  report(me, delivery, { $case: "started", value: {} }, false, me.clock.now);
  // The owner reads it first.
  me.clock.after(0, () => asking(me, delivery, true, () => call(me, delivery)));
}

function call(me: Me, delivery: Delivery): void {
  const { calls, clock, underWay } = me;
  const made = toCall(delivery, clock.now);
  const index = calls.push({ ...made, end: undefined }) - 1;
  const go = (end: CallEnd): void => {
    calls[index] = { ...made, end };
    pass(me, delivery, made, end);
  };
  const answer = me.answer(made);
  if (!(answer instanceof Promise)) {
    go(answer);
    return;
  }
  const waited: Promise<void> = answer.then(go).finally(() => underWay.delete(waited));
  underWay.add(waited);
}

/** The answer is known; its time passes. */
function pass(me: Me, delivery: Delivery, made: ServiceCall, end: CallEnd): void {
  const { clock } = me;
  const isLate = end.kind === "hangs" || end.delayMs >= made.timeoutMs;
  if (end.dies === "orchestrator") me.onOrchestratorDeath();
  if (end.dies === "sidecar") {
    me.lives += 1;
    clock.after(ackWaitMs, () => admit(me, { ...delivery, delivery: delivery.delivery + 1 }));
    return;
  }
  let isOver = false;
  const over = (kind: NonNullable<Outcome["kind"]>, sent: boolean): void => {
    if (isOver) return;
    isOver = true;
    me.running.delete(delivery.key);
    report(me, delivery, kind, sent, made.atMs);
  };
  me.running.set(delivery.key, () => over(failed(code.CANCELLED, "the call was reset", "transport"), true));
  clock.after(isLate ? made.timeoutMs : end.delayMs, () => {
    if (isLate) over(failed(code.DEADLINE_EXCEEDED, "the deadline passed", "transport"), true);
    else if (end.kind === "answered") over({ $case: "completed", value: bytesOf(made, end.messages) }, true);
    else if (end.kind === "failed") over(failed(end.code, end.message, end.origin, end.details), end.sent);
  });
}

/** Messages of a stream are kept as field 1 of one message, as the sidecar collects them. */
function bytesOf({ isStream }: ServiceCall, messages: readonly Uint8Array[]): Uint8Array {
  if (!isStream) return messages[0] ?? new Uint8Array();
  const writer = new BinaryWriter();
  for (const message of messages) writer.tag(1, WireType.LengthDelimited).bytes(message);
  return writer.finish();
}

function failed(
  number: number,
  message: string,
  origin: "service" | "transport",
  details: Uint8Array = new Uint8Array(),
): NonNullable<Outcome["kind"]> {
  const raisedBy = origin === "service" ? Failure_Origin.SERVICE : Failure_Origin.TRANSPORT;
  const value = { code: number, message, details, origin: raisedBy, retryAfterMs: retryAfterMs(details, undefined) };
  return { $case: "failed", value };
}

function report(
  me: Me,
  { runId, task, key, recheck, delivery }: Delivery,
  kind: NonNullable<Outcome["kind"]>,
  sent: boolean,
  startedAtMs: number,
): void {
  const outcome: Outcome = {
    attempt: task.attempt,
    token: goodToken,
    kind,
    delivery,
    recheck,
    sent,
    startedAtMs,
    endedAtMs: me.clock.now,
    peer: "",
    sidecar: { id: nameOf(me), name: "sidecar", host: "test", version: "" },
  };
  me.log.appendOutcome(runId, `${key}/${kind.$case}/${delivery}`, outcome);
}

function nameOf({ lives }: Me): string {
  return `sidecar-${lives}`;
}

function toCall({ runId, task }: Delivery, nowMs: number): ServiceCall {
  const headers = task.headers.map((header) => [header.key, "secret" in header ? `[${header.secret}]` : header.value]);
  return {
    method: task.method,
    request: task.request,
    runId,
    step: task.attempt.step,
    purpose: purposeOf(task.attempt.phase),
    attempt: task.attempt.attempt,
    idempotencyKey: stepKey(runId, task.attempt),
    headers: Object.fromEntries(headers),
    timeoutMs: task.timeoutMs,
    isStream: task.stream !== undefined,
    atMs: nowMs,
  };
}
