import { AskReply_Verdict } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { Ask, Control_Reset, Outcome, Sidecar, Task_Header } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../proto/wire/attempt.ts";
import { KeyTable } from "../../proto/wire/keyTable.ts";
import { parseRunId } from "../../proto/wire/runId.ts";
import { codeName } from "../../proto/wire/status.ts";
import { admit, mayHaveBegun, reasonToAsk } from "./core/admission.ts";
import type { Admission, AskReason } from "./core/admission.ts";
import { wasNeverSent } from "./core/ending.ts";
import type { Answered } from "./core/ending.ts";
import { Slots } from "./core/slots.ts";
import { refusalOf } from "./core/exposure.ts";
import {
  endedOutcome,
  inDoubtOutcome,
  refusedOutcome,
  resetOutcome,
  startedOutcome,
  tooLargeOutcome,
  claimedOutcome,
  withoutRequestOutcome,
  withoutSecretOutcome,
} from "./core/outcome.ts";
import type { OutcomeFacts } from "./core/outcome.ts";
import type { Held } from "./held.ts";
import { readTask } from "./core/taskMessage.ts";
import type { ParsedTask } from "./core/taskMessage.ts";
import type { Call, CallRequest, Delivery, Reported, Service, WorkerPorts } from "./ports.ts";

export type WorkerOptions = {
  /** Calls at a time, over all services; or slots that are shared with others. */
  readonly concurrency: number | Slots;
  readonly sidecar: Sidecar;
};

/** The server gives a task to somebody else when nobody extends it for 7 s: one extension may get lost. */
const extendEveryMs = 2_000;
/** The owner believes for 5.5 s that a call runs which it was asked about. */
const askEveryMs = 3_000;
/** After a call that could not be sent: the service is away, another sidecar may have one that is there. */
const unsentDelayMs = 1_000;
const fullDelayMs = 500;
/** While one slot is free each service may ask for a task: few slots, many services. */
const waitingMin = 16;
/** A drain waits so often for a large answer to be taken, or a claim to be granted. */
const drainTries = 10;
/** Longer than an owner's death or an election lasts: a claim that nobody grants is given back then, and the next delivery is in doubt. */
const grantMs = 30_000;

/**
 * Takes deliveries and sees each through: admit, call, report, acknowledge. Bounded: at most `concurrency` run, and as many (16 at least) wait
 * in order; those are extended, and given back at the end.
 */
export class Worker {
  readonly #ports: WorkerPorts;
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  readonly #held = new KeyTable<Held>();
  readonly #waiting: Held[] = [];
  #idle: PromiseWithResolvers<void> | undefined;
  #running = 0;
  #isDraining = false;

  constructor(ports: WorkerPorts, options: WorkerOptions) {
    this.#ports = ports;
    this.#options = options;
    const { concurrency } = options;
    this.#slots = typeof concurrency === "number" ? new Slots(concurrency) : concurrency;
    this.#slots.addTaker(() => this.#takeUp());
  }

  /** Slots that nothing runs or waits in. */
  free(): number {
    return this.#isDraining ? 0 : this.#slots.free() - this.#waiting.length;
  }

  /** Tasks that are worked on. */
  running(): number {
    return this.#running;
  }

  /** Called each time a slot gets free. Returns how to stop that. */
  onRoom(listener: () => void): () => void {
    return this.#slots.onRoom(listener);
  }

  /** Takes a delivery for a service. Never throws. */
  accept(delivery: Delivery, service: Service): void {
    if (this.#isDraining) return delivery.nak(0, true);
    const reading = readTask(delivery.body);
    if (reading.kind === "garbage") {
      this.#ports.observer.setAside(reading.reason, delivery);
      delivery.discard(reading.reason);
      return;
    }
    const same = this.#held.get(reading.task.key);
    if (same !== undefined) return void same.deliveries.push(delivery);
    // More than was asked for: a pull that was believed dead was not.
    if (this.#waiting.length >= Math.max(this.#slots.total, waitingMin)) return delivery.nak(fullDelayMs, true);
    const held: Held = {
      key: reading.task.key,
      task: reading.task,
      service,
      deliveries: [delivery],
      extendedAtMs: delivery.receivedAtMs,
      askedAtMs: delivery.receivedAtMs,
      call: undefined,
      isReset: false,
      isBegun: false,
    };
    this.#held.add(held);
    if (this.#slots.take()) void this.#run(held, delivery);
    else this.#waiting.push(held);
  }

  /** Resets the call of an attempt, when it is here and the token is right; how it ended is reported. */
  reset(request: Control_Reset): void {
    const runId = parseRunId(request.runId);
    if (runId === undefined || request.attempt === undefined) return;
    const held = this.#held.get(attemptKey(runId, request.attempt));
    if (held === undefined || !sameBytes(held.task.message.token, request.token)) return;
    held.isReset = true;
    held.call?.reset();
  }

  /** Extends what is due; calls that run are asked about, so that a cancel reaches them even when its message was lost. Once a second. */
  extend(): void {
    const now = this.#ports.now();
    for (const held of this.#held.values()) {
      if (now - held.extendedAtMs >= extendEveryMs) {
        held.extendedAtMs = now;
        for (const delivery of held.deliveries) delivery.extend();
      }
      if (held.call !== undefined && now - held.askedAtMs >= askEveryMs) {
        held.askedAtMs = now;
        void this.#askRunning(held);
      }
    }
  }

  /** Gives back what waits for a slot; what runs goes on. */
  giveBackWaiting(): void {
    for (const held of this.#waiting.splice(0)) {
      this.#held.delete(held.key);
      this.#giveBack(held, 0);
    }
  }

  /** Gives back what waits and takes nothing more; resolves when what runs has been reported. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.giveBackWaiting();
    if (this.#running === 0) return;
    await (this.#idle ??= Promise.withResolvers<void>()).promise;
  }

  /** Has what waits longest take a slot that is free; false: nothing waits. */
  #takeUp(): boolean {
    const [next] = this.#waiting;
    const delivery = next?.deliveries[0];
    if (next === undefined || delivery === undefined || !this.#slots.take()) return false;
    this.#waiting.shift();
    void this.#run(next, delivery);
    return true;
  }

  /** In a slot that has been taken for it. */
  async #run(held: Held, first: Delivery): Promise<void> {
    this.#running += 1;
    const startedAtMs = this.#ports.now();
    if (first.delivery === 1)
      this.#ports.observer.taken(held.task, Math.max(0, this.#ports.logNow() - first.storedAtMs));
    let end = "GIVEN_BACK";
    try {
      end = await this.#see(held, first);
    } catch (error) {
      held.call = undefined;
      this.#ports.observer.unreported(held.task, String(error));
      this.#giveBack(held, unsentDelayMs);
    }
    this.#ports.observer.ended(held.task, end, this.#ports.now() - startedAtMs);
    this.#held.delete(held.key);
    this.#running -= 1;
    this.#slots.leave();
    if (this.#running === 0) this.#idle?.resolve();
  }

  /**
   * One attempt from admission to acknowledgement; returns what became of it, in a word. What most tasks don't need is looked at before it is awaited:
   * each step of the way costs an asynchronous function of its own otherwise.
   */
  async #see(held: Held, first: Delivery): Promise<string> {
    const { task, service } = held;
    const { message } = task;
    const reason = this.#reasonToAsk(held, first);
    const facts: OutcomeFacts = {
      // Of a step that is claimed it tells deliveries apart.
      delivery: first.isFirst && !message.claim ? 1 : first.delivery,
      recheck: mayHaveBegun(reason),
      sidecar: this.#options.sidecar,
    };
    const refusal = refusalOf(service.offered, task.service, task.methodName, message.serverStreaming);
    if (refusal !== undefined)
      return this.#report(held, refusedOutcome(task, facts, refusal, this.#ports.now()), "REFUSED");
    if (reason !== undefined || message.claim) {
      const turnedAway = await this.#turnedAway(held, first, reason, facts);
      if (turnedAway !== undefined) return turnedAway;
    }
    const headers = message.headers.some(hasSecret) ? await this.#withSecrets(held) : message.headers;
    if (typeof headers === "string")
      return this.#report(held, withoutSecretOutcome(task, facts, headers, this.#ports.now()), "REFUSED");
    const { requestPayload } = message;
    const body = requestPayload === undefined ? message.request : await this.#ports.fetch(requestPayload);
    if (body === undefined) {
      this.#giveBack(held, unsentDelayMs);
      return "GIVEN_BACK";
    }
    if (body === "gone") return this.#report(held, withoutRequestOutcome(task, facts, this.#ports.now()), "REFUSED");
    if (held.isReset) return this.#report(held, resetOutcome(task, facts, this.#ports.now()), "CANCELLED");
    held.isBegun = true;
    held.call = this.#begin(held, headers, body);
    const ending = await held.call.ending;
    held.call = undefined;
    if (wasNeverSent(ending) && !message.claim) {
      this.#giveBack(held, unsentDelayMs, true);
      return "GIVEN_BACK";
    }
    const isKeptApart = ending.kind === "answered" && isLarge(task, ending);
    const outcome = isKeptApart ? await this.#large(held, facts, ending) : endedOutcome(task, facts, ending);
    const reported = await this.#ports.report(task, outcome);
    if (reported.kind === "stored") this.#ackAll(held);
    else await this.#unstored(held, outcome, reported);
    return ending.kind === "answered" ? "OK" : codeName(ending.code);
  }

  /** What became of a task whose call may not be made; undefined: it may. */
  async #turnedAway(
    held: Held,
    delivery: Delivery,
    reason: AskReason | undefined,
    facts: OutcomeFacts,
  ): Promise<string | undefined> {
    const admission = await this.#admission(held, delivery, reason, facts);
    switch (admission.kind) {
      case "drop":
        this.#ackAll(held);
        return "DROPPED";
      case "later":
        this.#giveBack(held, admission.delayMs);
        return "GIVEN_BACK";
      case "doubt":
        return this.#report(held, inDoubtOutcome(held.task, facts, this.#ports.now()), "IN_DOUBT");
      case "run":
        return undefined;
    }
  }

  /** The outcome of a call with a large answer, which is durable before the outcome that claims it. */
  async #large({ task }: Held, facts: OutcomeFacts, ending: Answered): Promise<Outcome> {
    for (let tries = 1; ; tries += 1) {
      const ref = await this.#ports.keep(task, ending.response);
      if (ref !== undefined) return claimedOutcome(task, facts, ending, ref);
      // Trying on holds the attempt, which is extended meanwhile; who drains has to end some time.
      if (this.#isDraining && tries >= drainTries) return endedOutcome(task, facts, ending);
      await this.#ports.pause(unsentDelayMs);
    }
  }

  /** The headers of the call with the secrets in their places, or the name of the secret that is missing. */
  async #withSecrets({ task }: Held): Promise<CallRequest["headers"] | string> {
    const filled: { key: string; value: Uint8Array }[] = [];
    for (const { key, value, secret } of task.message.headers) {
      const found = secret === "" ? value : await this.#ports.secret(secret);
      if (found === undefined) return secret;
      filled.push({ key, value: found });
    }
    return filled;
  }

  #begin(held: Held, headers: CallRequest["headers"], body: Uint8Array): Call {
    const { message, service } = held.task;
    return held.service.invoke({
      service,
      method: message.method,
      body,
      headers,
      timeoutMs: message.timeoutMs,
      stream: message.serverStreaming ? { messagesMax: message.messagesMax, bytesMax: message.bytesMax } : undefined,
    });
  }

  #reasonToAsk({ task }: Held, delivery: Delivery): AskReason | undefined {
    return reasonToAsk({
      recheck: task.message.recheck,
      delivery: delivery.isFirst ? 1 : delivery.delivery,
      storedAtMs: delivery.storedAtMs,
      issuedAtMs: task.message.issuedAtMs,
      nowMs: this.#ports.logNow(),
      heldMs: this.#ports.now() - delivery.receivedAtMs,
      age: delivery.age,
      connectedAtMs: this.#ports.connectedAtMs(),
      isUnsure: this.#ports.contracts.isUnsure(task),
    });
  }

  async #admission(
    held: Held,
    delivery: Delivery,
    reason: AskReason | undefined,
    facts: OutcomeFacts,
  ): Promise<Admission> {
    const { task } = held;
    const asked = reason === undefined ? admitted : admit(await this.#ask(held, reason, {}), delivery.delivery);
    return asked.kind === "run" && task.message.claim ? this.#claim(held, delivery, facts) : asked;
  }

  /** Makes the claim durable, then waits for the grant. */
  async #claim(held: Held, delivery: Delivery, facts: OutcomeFacts): Promise<Admission> {
    const reported = await this.#ports.report(held.task, startedOutcome(held.task, facts, this.#ports.now()));
    if (reported.kind !== "stored") return { kind: "later", delayMs: unsentDelayMs };
    const untilMs = this.#ports.now() + grantMs;
    for (let tries = 1; ; tries += 1) {
      const admission = admit(await this.#ask(held, "claimed", { claimed: true }), delivery.delivery);
      const isOver = this.#isDraining ? tries >= drainTries : this.#ports.now() >= untilMs;
      if (admission.kind !== "later" || isOver) return admission;
      await this.#ports.pause(admission.delayMs);
    }
  }

  async #ask(held: Held, why: AskReason | "claimed", also: Partial<Ask>): Promise<AskReply_Verdict | undefined> {
    const verdict = await this.#ports.ask(held.task, this.#question(held, also));
    this.#ports.observer.asked(why, verdict);
    this.#ports.contracts.learn(held.task, verdict);
    return verdict;
  }

  async #askRunning(held: Held): Promise<void> {
    const verdict = await this.#ports.ask(held.task, this.#question(held, { running: true }));
    this.#ports.observer.asked("running", verdict);
    if (verdict !== AskReply_Verdict.CLOSED) return;
    held.isReset = true;
    held.call?.reset();
  }

  #question(held: Held, also: Partial<Ask>): Ask {
    return {
      runId: held.task.message.runId,
      attempt: held.task.attempt,
      token: held.task.message.token,
      sidecarId: this.#options.sidecar.id,
      running: false,
      claimed: false,
      delivery: held.deliveries[0]?.delivery ?? 1,
      contract: this.#ports.contracts.contractOf(held.task),
      ...also,
    };
  }

  async #report(held: Held, outcome: Outcome, word: string): Promise<string> {
    const reported = await this.#ports.report(held.task, outcome);
    if (reported.kind === "stored") this.#ackAll(held);
    else await this.#unstored(held, outcome, reported);
    return word;
  }

  /** What can't be stored as it is becomes a failure that can be. */
  async #unstored(held: Held, outcome: Outcome, reported: Reported): Promise<void> {
    let last = reported;
    if (last.kind === "rejected") {
      this.#ports.observer.unreported(held.task, last.reason);
      last = await this.#ports.report(held.task, tooLargeOutcome(outcome, last.reason));
    }
    if (last.kind === "stored") this.#ackAll(held);
    else this.#giveBack(held, unsentDelayMs);
  }

  #ackAll({ deliveries }: Held): void {
    for (const delivery of deliveries) delivery.ack();
  }

  // A claim may be durable.
  #giveBack(held: Held, delayMs: number, isUnbegun = !held.isBegun && !held.task.message.claim): void {
    for (const delivery of held.deliveries) delivery.nak(delayMs, isUnbegun);
  }
}

const admitted: Admission = { kind: "run" };

function hasSecret({ secret }: Task_Header): boolean {
  return secret !== "";
}

/** Too large for an outcome. */
function isLarge({ message }: ParsedTask, { response }: Answered): boolean {
  return message.inlineBytesMax > 0 && response.length > message.inlineBytesMax;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
