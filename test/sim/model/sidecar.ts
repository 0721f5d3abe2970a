import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { goodToken } from "../../../testing/src/partition/log.ts";
import type { PartitionLog } from "../../../testing/src/partition/log.ts";
import { ackWaitMs } from "./queue.ts";
import type { QueuedTask, SimQueue } from "./queue.ts";
import type { CallAnswer, SimService } from "./service.ts";
import { publish, strikes, wireMs } from "./world.ts";
import type { World } from "./world.ts";

export interface Question {
  readonly runId: string;
  readonly attempt: AttemptId;
  readonly sidecarId: string;
  readonly delivery: number;
  readonly claimed: boolean;
  readonly running: boolean;
}

export type Verdict = "open" | "closed" | "busy" | "doubt" | "not now";

export interface SimSidecars {
  /** Resets the call of an attempt, wherever it runs. */
  reset(runId: string, attempt: AttemptId): void;
}

/** All sidecars of a service, one living at a time in each place; those that die lose all that was in their memory. */
export function openSidecars(
  world: World,
  parts: { readonly log: PartitionLog; readonly queue: SimQueue; readonly service: SimService },
  ask: (question: Question, answer: (verdict: Verdict) => void) => void,
): SimSidecars {
  const places: Place[] = [
    { id: "side-0", isAlive: true, running: new Map(), held: new Set() },
    { id: "side-1", isAlive: true, running: new Map(), held: new Set() },
  ];
  parts.queue.onDelivery((task, delivery) => {
    const place = places.find((it) => it.isAlive && world.random.chance(0.5)) ?? places.find((it) => it.isAlive);
    if (place === undefined) return false;
    admit({ world, ...parts, ask, place, life: place.id, task, delivery, receivedAt: world.clock.now });
    return true;
  });
  return {
    reset(runId, attempt) {
      if (strikes(world, world.faults.resetLost)) return;
      for (const { running } of places) running.get(attemptKey(runId, attempt))?.reset();
    },
  };
}

interface Place {
  /** Another one after each death. */
  id: string;
  isAlive: boolean;
  running: Map<string, { reset(): void }>;
  /** Attempts in its hands: it does not take another copy of one. */
  held: Set<string>;
}

/** One delivery of a task in the hands of one sidecar. */
interface Delivery {
  readonly world: World;
  readonly log: PartitionLog;
  readonly queue: SimQueue;
  readonly service: SimService;
  readonly ask: (question: Question, answer: (verdict: Verdict) => void) => void;
  readonly place: Place;
  /** The sidecar that took it. */
  readonly life: string;
  readonly task: QueuedTask;
  readonly delivery: number;
  readonly receivedAt: number;
}

function isAlive({ place, life }: Delivery): boolean {
  return place.isAlive && place.id === life;
}

function dies(delivery: Delivery): boolean {
  const { world, place } = delivery;
  if (!strikes(world, world.faults.sidecarDies)) return false;
  place.isAlive = false;
  // The service sees the connections break; whether it goes on is its own affair.
  for (const underWay of place.running.values()) if (world.random.chance(0.5)) underWay.reset();
  place.running = new Map();
  place.held = new Set();
  world.clock.after(world.random.int(50, world.faults.awayMsMax), () => {
    place.id = `${place.id}'`;
    place.isAlive = true;
  });
  return true;
}

/** PROTOCOL §6.2: asks before it runs anything that somebody may have run, or that has become old. */
function admit(delivery: Delivery): void {
  const { world, task, place } = delivery;
  const key = attemptKey(task.runId, task.task.attempt);
  if (place.held.has(key)) {
    delivery.queue.nak(task, 500);
    return;
  }
  place.held.add(key);
  if (dies(delivery)) return;
  const isOld = world.clock.now - task.task.issuedMs > 1_000;
  const isDoubtful = task.recheck || delivery.delivery > 1 || task.isForgotten;
  if ((!isOld && !isDoubtful) || world.broken.has("redelivered task run unasked")) {
    begin(delivery);
    return;
  }
  question(delivery, { claimed: false, running: false }, (verdict) => {
    switch (verdict) {
      case "open":
        begin(delivery);
        return;
      case "closed":
        letGo(delivery, () => delivery.queue.ack(task));
        return;
      case "busy":
      case "not now":
        letGo(delivery, () => delivery.queue.nak(task, 500));
        return;
      case "doubt":
        report(delivery, { $case: "inDoubt", value: {} }, world.clock.now, false);
        return;
    }
  });
}

function letGo({ place, task }: Delivery, how: () => void): void {
  place.held.delete(attemptKey(task.runId, task.task.attempt));
  how();
}

function question(
  delivery: Delivery,
  what: { readonly claimed: boolean; readonly running: boolean },
  then: (verdict: Verdict) => void,
): void {
  const { task, life } = delivery;
  const asked = {
    runId: task.runId,
    attempt: task.task.attempt,
    sidecarId: life,
    delivery: delivery.delivery,
    ...what,
  };
  delivery.ask(asked, (verdict) => {
    if (isAlive(delivery)) then(verdict);
  });
}

function begin(delivery: Delivery): void {
  const { task, world } = delivery;
  if (!task.task.claim || world.broken.has("claim not asked for")) {
    call(delivery);
    return;
  }
  const outcome = toOutcome(delivery, { $case: "started", value: {} }, world.clock.now, false);
  const id = `${attemptKey(task.runId, task.task.attempt)}/started/${delivery.life}/${delivery.delivery}`;
  publish(
    world,
    () => isAlive(delivery),
    () => delivery.log.appendOutcome(task.runId, id, outcome),
    () => claim(delivery),
  );
}

function claim(delivery: Delivery): void {
  question(delivery, { claimed: true, running: false }, (verdict) => {
    if (verdict === "open") call(delivery);
    else if (verdict === "closed") letGo(delivery, () => delivery.queue.ack(delivery.task));
    else if (verdict === "doubt") report(delivery, { $case: "inDoubt", value: {} }, delivery.world.clock.now, false);
    else delivery.world.clock.after(200, () => isAlive(delivery) && claim(delivery));
  });
}

function call(delivery: Delivery): void {
  const { world, task, place, service } = delivery;
  const key = attemptKey(task.runId, task.task.attempt);
  if (dies(delivery)) return;
  const startedAt = world.clock.now;
  let isRunning = true;
  if (world.broken.has("task acknowledged before its outcome is stored")) delivery.queue.ack(task);
  const running = service.call(task.runId, task.task, (answer) => {
    isRunning = false;
    if (!isAlive(delivery)) return;
    place.running.delete(key);
    if (dies(delivery)) return;
    report(delivery, kindOf(answer), startedAt, answer.sent);
  });
  if (!isRunning) return;
  place.running.set(key, running);
  const extend = (): void => {
    if (!isRunning || !isAlive(delivery)) return;
    delivery.queue.extend(task);
    question(delivery, { claimed: false, running: true }, (verdict) => {
      if (verdict === "closed" && isRunning) running.reset();
    });
    world.clock.after(ackWaitMs / 3, extend);
  };
  world.clock.after(ackWaitMs / 3, extend);
}

function kindOf(answer: CallAnswer): NonNullable<Outcome["kind"]> {
  if (answer.kind === "failed") return { $case: "failed", value: answer.failure };
  return { $case: "completed", value: new TextEncoder().encode(answer.response) };
}

function report(delivery: Delivery, kind: NonNullable<Outcome["kind"]>, startedAt: number, sent: boolean): void {
  const { world, task, log, queue } = delivery;
  const outcome = toOutcome(delivery, kind, startedAt, sent);
  const digest =
    kind.$case === "completed" ? new TextDecoder().decode(kind.value) : kind.$case === "failed" ? kind.value.code : "";
  const id = `${attemptKey(task.runId, task.task.attempt)}/${kind.$case}/${digest}`;
  publish(
    world,
    () => isAlive(delivery),
    () => log.appendOutcome(task.runId, id, outcome),
    () => {
      if (dies(delivery)) return;
      letGo(delivery, () => world.clock.after(wireMs(world), () => queue.ack(task)));
    },
  );
}

function toOutcome(
  delivery: Delivery,
  kind: NonNullable<Outcome["kind"]>,
  startedAtMs: number,
  sent: boolean,
): Outcome {
  const { world, task, life } = delivery;
  return {
    attempt: task.task.attempt,
    token: goodToken,
    kind,
    delivery: delivery.delivery,
    recheck: task.recheck || task.isForgotten,
    sent,
    startedAtMs,
    endedAtMs: world.clock.now,
    peer: "service",
    sidecar: { id: life, name: "side", host: "sim", version: "1" },
  };
}
