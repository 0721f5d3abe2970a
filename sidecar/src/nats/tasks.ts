import { createInbox, nanos } from "@nats-io/nats-core";
import type { Msg } from "@nats-io/nats-core";
import { byLoadGroup } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { subscribeRaw } from "../../../runtime/src/messageReader.ts";
import type { Incoming } from "../../../runtime/src/messageReader.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { atMost } from "../../../runtime/src/shutdown.ts";
import { atTurnEnd } from "../../../runtime/src/turnEnd.ts";
import { ageOf } from "../core/admission.ts";
import type { Asked } from "../core/asked.ts";
import { parseAckSubject } from "../core/delivery.ts";
import { GivenBack } from "../core/givenBack.ts";
import { neverEmpty, settled, tellEmpty } from "../core/emptiness.ts";
import type { Emptiness } from "../core/emptiness.ts";
import { bytesMaxOf, firstWindow, grown, idleBatchMax, nextBatch, rankOf } from "../core/pullWindow.ts";
import type { PullWindow } from "../core/pullWindow.ts";
import type { Delivery } from "../ports.ts";
import { Answers, TaskDelivery } from "./taskDelivery.ts";
import { Requests } from "./taskRequests.ts";
import type { Way } from "./taskRequests.ts";

/**
 * How many slots there are, how many services and limited methods share them, how many tasks run or wait in them, how many are free, how many have been asked
 * for and not come, and for how many more there is room, over all services.
 */
export type Room = {
  readonly slots: number;
  readonly pullers: number;
  readonly inHands: number;
  readonly free: number;
  readonly asked: number;
  readonly unasked: number;
};

export type PullerOptions = {
  readonly nats: Nats;
  readonly names: Names;
  readonly service: string;
  /** Of a method with a limit only that one's tasks, from a consumer of its own. */
  readonly method?: string;
  readonly room: () => Room;
  readonly accept: (delivery: Delivery, subject: string) => void;
  readonly log: Log;
};

const expiresMs = 5_000;
const heartbeatMs = 500;
/** Of a request for more than an idle service asks for: what it holds others can't have. Too short for a heartbeat. */
const largeExpiresMs = 500;
/** Two heartbeats and a bit: the pull is dead, its consumer gone or the server's leader. */
const silenceMaxMs = 1_300;
const windowMax = 256;
const missingPauseMs = 250;
const missingPauseMaxMs = 2_000;
/** Longer than a request lasts, and what is on its way then. */
const turnOverMs = 10_000;
/** For what was asked for to come, before a server is left. */
const leavingMs = 300;
/** An election is over at any moment. */
const electionPauseMaxMs = 500;

/** The next task is larger than what is left of a request's bytes. */
const endsForBytes = /exceeds maxbytes/i;
/** Somebody else leads the consumer, or nobody. */
const endsAll = /leadership change|consumer deleted|server shutdown/i;
/** All tasks of a request with a bound of bytes have come, or are on their way behind this word. */
const endsWithBatch = /batch completed/i;

/**
 * Pulls the tasks of one service, or of one limited method, from its durable consumer, which the orchestrator makes at deploy. Asks for no more tasks than there
 * are free slots. It comes back by itself after a lost consumer, leader or connection, and waits quietly for a consumer that does not
 * exist yet.
 */
export class TaskPuller {
  readonly #options: PullerOptions;
  readonly #about: Readonly<Record<string, string>>;
  readonly #subject: string;
  readonly #answers: { readonly answers: Answers; readonly givenBack: GivenBack };
  #requests = new Requests();
  /** Of the last seconds before: what has not come of them for longer than they last never will. */
  #older = new Requests();
  /** Of connections before: whoever leads the consumer may still serve them, and what nobody takes comes again only after seconds. */
  #lost: readonly { readonly requests: Requests; readonly untilMs: number }[] = [];
  readonly #forget: () => void;
  readonly #watchdog: NodeJS.Timeout;
  #window: PullWindow;
  #count = 0;
  #heardAtMs = 0;
  #tookAtMs = 0;
  #isActive = false;
  #isClosed = false;
  #isMissing = false;
  /** The server is going to stop: resolved when no task is on its way here through it. */
  #leaving: PromiseWithResolvers<void> | undefined;
  #isPullDue = false;
  /** The consumer has been there: when nobody answers for it, another leader is being elected. */
  #wasFound = false;
  /** Of this connection. */
  #emptiness: Emptiness = neverEmpty;
  /** The next task is larger than a request was for. */
  #isLarge = false;
  /** Nothing has come since the server said that there was nothing. */
  #isIdle = false;
  #missingPauseMs = missingPauseMs;
  #resting: NodeJS.Timeout | undefined;

  constructor(options: PullerOptions) {
    this.#options = options;
    this.#window = firstWindow(options.room());
    const { nats, names, service, method } = options;
    const consumer = method === undefined ? names.taskConsumer(service) : names.limitedConsumer(method);
    this.#about = method === undefined ? { service } : { service, method };
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${names.tasksStream}.${consumer}`;
    this.#answers = { answers: new Answers(nats.connection), givenBack: new GivenBack() };
    const forgets = [
      nats.onReconnect(() => this.#restart()),
      nats.onDisconnect(() => this.#forgetServer()),
      nats.onLeaving(() => this.#leave()),
    ];
    this.#forget = () => forgets.forEach((forget) => forget());
    this.#watchdog = setInterval(() => this.#watch(), heartbeatMs);
  }

  /** Tasks asked for that have not come. */
  outstanding(): number {
    return this.#requests.asked.outstanding() + this.#older.asked.outstanding();
  }

  /** How many of them are to be counted on: of an idle service's requests of several ranks all are served only when more comes than it wants. */
  wanted(): number {
    const outstanding = this.outstanding();
    return this.#isIdle ? Math.min(outstanding, this.#window.size) : outstanding;
  }

  /** Begins, or goes on, asking for tasks. */
  resume(): void {
    if (this.#isActive || this.#isClosed) return;
    this.#isActive = true;
    this.pull();
  }

  /** Asks for none; what was asked for may still come. */
  pause(): void {
    this.#isActive = false;
    this.#window = firstWindow(this.#options.room());
  }

  /** Asks for tasks when there is room. */
  pull(): void {
    if (
      !this.#isActive ||
      this.#resting !== undefined ||
      this.#leaving !== undefined ||
      !this.#options.nats.isConnected()
    )
      return;
    const { inHands, free, asked, unasked } = this.#options.room();
    const rank = rankOf(inHands);
    const { asked: made } = this.#requests;
    const outstanding = made.outstandingUpTo(rank) + this.#older.asked.outstandingUpTo(rank);
    let batch = nextBatch(this.#window, { inHands, outstanding, room: unasked, free });
    if (batch <= 0) return;
    this.#count += 1;
    let bytesMax = bytesMaxOf(batch, asked, this.#count);
    if (bytesMax !== undefined && this.#isLarge) [batch, bytesMax] = [1, undefined];
    this.#isLarge = false;
    const token = this.#count.toString(36);
    const now = performance.now();
    if (this.#isAnswered()) this.#heardAtMs = now;
    const isSmall = batch <= idleBatchMax;
    const lastsMs = isSmall ? expiresMs : largeExpiresMs;
    made.add(token, batch, rank, now + lastsMs);
    const request = JSON.stringify({
      batch,
      max_bytes: bytesMax,
      expires: nanos(lastsMs),
      idle_heartbeat: isSmall ? nanos(heartbeatMs) : undefined,
      group: byLoadGroup,
      priority: rank,
    });
    this.#options.nats.connection.publish(this.#subject, request, { reply: this.#wayOf(rank).inbox + token });
  }

  /** Nothing is left of what was asked for. */
  #isAnswered(): boolean {
    return this.#requests.asked.isEmpty() && this.#older.asked.isEmpty();
  }

  #forgetAsked(): void {
    this.#requests.asked.clear();
    this.#older.asked.clear();
  }

  /**
   * A server that leads no more may have said nothing of what it was asked for, and in steady work that looks like tasks which are about to come. So every
   * few seconds answers go another way, and what has not come on the one before is over once its last request is.
   */
  #turnOver(now: number): void {
    if (now - this.#requests.bornAtMs < turnOverMs || this.#requests.bornAtMs > this.#tookAtMs) return;
    this.#older.unsubscribe();
    this.#older = this.#requests;
    this.#requests = new Requests();
  }

  #wayOf(rank: number): Way {
    const requests = this.#requests;
    const known = requests.ways.get(rank);
    if (known !== undefined) return known;
    const inbox = `${createInbox()}.`;
    const subscription = subscribeRaw(this.#options.nats.connection, `${inbox}*`, {
      take: (message) => this.#receive(message, rank, requests.asked),
      status: (message) => this.#receiveStatus(message, requests.asked),
    });
    const way = { inbox, subscription };
    requests.ways.set(rank, way);
    return way;
  }

  /** Resolves when the server knows that nothing more is taken here; what is on its way until then is. */
  async #drain(): Promise<void> {
    await Promise.all(this.#all().map((requests) => requests.drain()));
  }

  #unsubscribe(): void {
    for (const requests of this.#all()) requests.unsubscribe();
  }

  #all(): readonly Requests[] {
    return [this.#requests, this.#older, ...this.#lost.map(({ requests }) => requests)];
  }

  /** For all that came in this turn of the event loop one request will do. */
  #pullSoon(): void {
    if (this.#isPullDue) return;
    this.#isPullDue = true;
    atTurnEnd(() => {
      this.#isPullDue = false;
      this.pull();
    });
  }

  /** Takes no more tasks; resolves when the server knows, so that none is on its way here. What still came was accepted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isActive = false;
    this.#forget();
    clearInterval(this.#watchdog);
    clearTimeout(this.#resting);
    this.#forgetAsked();
    if (this.#options.nats.isConnected()) await this.#drain();
    else this.#unsubscribe();
  }

  #receive(message: Incoming, rank: number, asked: Asked): void {
    this.#heardAtMs = this.#tookAtMs = performance.now();
    this.#isIdle = false;
    this.#emptiness = settled(this.#emptiness, this.#heardAtMs);
    const delivery = this.#toDelivery(message.replyTo(), message.data());
    asked.take(rank);
    if (this.outstanding() === 0) {
      this.#leaving?.resolve();
      this.#window = grown(this.#window, Math.min(this.#options.room().slots, windowMax));
    }
    this.#wasFound = true;
    if (this.#isMissing) this.#found();
    if (delivery !== undefined) this.#options.accept(delivery, message.subject());
    this.#pullSoon();
  }

  #toDelivery(answerTo: string, body: Uint8Array): Delivery | undefined {
    const facts = parseAckSubject(answerTo);
    if (facts === undefined) return undefined;
    const known = this.#answers.givenBack.ageOf(facts, performance.now());
    const age = known ?? ageOf(facts.streamSequence, facts.delivery, this.#emptiness.sequence);
    const isFirst = age !== "again" && (known !== undefined || facts.delivery === 1);
    return new TaskDelivery(this.#answers, answerTo, { ...facts, age, isFirst }, body);
  }

  #forgetServer(): void {
    this.#forgetAsked();
    this.#answers.givenBack.clear();
    // What still comes of them does not count for those that are made after the reconnect.
    const untilMs = performance.now() + turnOverMs;
    this.#lost = [...this.#lost, { requests: this.#requests, untilMs }, { requests: this.#older, untilMs }];
    this.#requests = new Requests();
    this.#older = new Requests();
  }

  #receiveStatus(message: Msg, asked: Asked): void {
    this.#heardAtMs = performance.now();
    const { code = 0, description = "" } = message.headers ?? {};
    if (code === 100) {
      this.#wasFound = true;
      this.#isIdle = true;
      if (this.#isMissing) this.#found();
      // A heartbeat comes only when there is nothing to deliver, or, of a limited method, no more may be handed out.
      const last = message.headers?.get("Nats-Last-Stream") ?? "";
      if (this.#options.method === undefined && /^\d+$/.test(last))
        this.#emptiness = tellEmpty(this.#emptiness, Number(last), this.#heardAtMs);
      return;
    }
    if (code === 409 && endsWithBatch.test(description)) return;
    const pending = Number(message.headers?.get("Nats-Pending-Messages") ?? "");
    const come = asked.end(message.subject.slice(message.subject.lastIndexOf(".") + 1), pending);
    if (come === undefined) return;
    if (code === 409 && endsForBytes.test(description)) {
      this.#isLarge ||= come === 0;
      // It ends all requests that have too few bytes.
      this.#pullSoon();
      return;
    }
    if (code === 408 || code === 404) {
      this.#isIdle ||= this.#heardAtMs - this.#tookAtMs >= largeExpiresMs;
      if (this.#isIdle || this.#isAnswered()) this.#window = firstWindow(this.#options.room());
      this.pull();
      return;
    }
    // Whoever led has forgotten all that it had been asked for, and says so of the oldest requests at most.
    if (code === 503 || endsAll.test(description)) this.#forgetAsked();
    if (code === 503 && !this.#isMissing) {
      this.#isMissing = true;
      const reason = this.#wasFound
        ? "no server leads the service's tasks now"
        : "waiting for the first workflow that calls the service";
      this.#options.log.info(reason, this.#about);
    } else if (code !== 503) {
      // Another one would count anew.
      this.#answers.givenBack.clear();
      if (/consumer deleted/i.test(description)) this.#wasFound = false;
      this.#options.log.info("a pull has ended", { ...this.#about, code, description });
    }
    this.#rest();
  }

  /** Waits a little before the next pull, longer each time. */
  #rest(): void {
    this.#window = firstWindow(this.#options.room());
    if (this.#resting !== undefined || this.#isClosed) return;
    this.#resting = setTimeout(() => {
      this.#resting = undefined;
      this.pull();
    }, this.#missingPauseMs);
    this.#missingPauseMs = Math.min(this.#missingPauseMs * 2, this.#wasFound ? electionPauseMaxMs : missingPauseMaxMs);
  }

  #found(): void {
    this.#isMissing = false;
    this.#missingPauseMs = missingPauseMs;
    this.#options.log.info("pulling tasks", this.#about);
  }

  /** A task that is on its way when the connection ends would be delivered again only when nobody has acknowledged it for seconds. */
  async #leave(): Promise<void> {
    const leaving = (this.#leaving ??= Promise.withResolvers<void>());
    if (this.outstanding() === 0) leaving.resolve();
    await atMost(leavingMs, leaving.promise);
    // What the server has sent until it knows is accepted.
    if (this.#leaving === leaving && !this.#isClosed) await this.#drain();
  }

  #restart(): void {
    this.#forgetAsked();
    if (this.#leaving !== undefined) this.#unsubscribe();
    this.#leaving = undefined;
    this.#emptiness = neverEmpty;
    this.#window = firstWindow(this.#options.room());
    clearTimeout(this.#resting);
    this.#resting = undefined;
    this.#missingPauseMs = missingPauseMs;
    this.pull();
  }

  #watch(): void {
    const now = performance.now();
    this.#turnOver(now);
    for (const { requests, untilMs } of this.#lost) if (untilMs < now) requests.unsubscribe();
    this.#lost = this.#lost.filter(({ untilMs }) => untilMs >= now);
    this.#requests.asked.endBefore(now - silenceMaxMs);
    // All of them have ended by then.
    if (now - this.#requests.bornAtMs > expiresMs + silenceMaxMs) this.#older.asked.clear();
    else this.#older.asked.endBefore(now - silenceMaxMs);
    if (!this.#isAnswered() && now - this.#heardAtMs > silenceMaxMs) {
      this.#options.log.warn("a pull fell silent, pulling anew", this.#about);
      this.#forgetAsked();
      this.#window = firstWindow(this.#options.room());
    }
    this.pull();
  }
}
