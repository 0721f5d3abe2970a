import { roomOf } from "./core/limit.ts";
import type { Limit } from "./core/limit.ts";
import { latenessMs } from "./core/turns.ts";
import type { Ending } from "./core/ending.ts";
import type { Call, CallRequest, Delivery, Service } from "./ports.ts";
import type { TurnsTaken } from "./nats/turns.ts";
import { onSettled } from "./settled.ts";

export type LaneOptions = {
  readonly limit: Limit;
  /** Slots of the sidecar that nothing runs or waits in. */
  readonly free: () => number;
  /** Sees a delivery through, by this service. */
  readonly run: (delivery: Delivery, service: Service) => void;
  readonly take: (limit: Limit, count: number) => Promise<TurnsTaken>;
  /** Log time, as turns count it. */
  readonly now: () => number;
  /** Ends early when the sidecar stops. */
  readonly pause: (ms: number) => Promise<void>;
};

type Parked = { readonly delivery: Delivery; readonly service: Service; extendedAtMs: number };

const extendEveryMs = 2_000;
const awayDelayMs = 1_000;

/**
 * The tasks of one limited method in this sidecar. Those whose turn has not come are parked: they are extended, and take no slot from others.
 * The server bounds the calls of all sidecars; here each is bounded, and paced by turns that are had before the call.
 */
export class LimitedLane {
  readonly #options: LaneOptions;
  readonly #parked: Parked[] = [];
  #limit: Limit;
  #turns: number[] = [];
  #inHands = 0;
  #isPacing = false;
  /** Nothing is pulled before: turns could not be had. */
  #restsUntilMs = 0;
  #isClosed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#limit = options.limit;
  }

  /** The limit has been changed. */
  change(limit: Limit): void {
    if (limit.sinceMs !== this.#limit.sinceMs) this.#turns = [];
    this.#limit = limit;
    this.advance();
  }

  /** How many more tasks may come. */
  room(): number {
    if (this.#isClosed || performance.now() < this.#restsUntilMs) return 0;
    return roomOf(this.#limit, this.#inHands, this.#parked.length, this.#options.free());
  }

  /** Takes a delivery, which runs by `service` once its turn has come. */
  accept(delivery: Delivery, service: Service): void {
    if (this.#isClosed) return delivery.nak(0);
    this.#inHands += 1;
    this.#parked.push({ delivery: this.#counted(delivery), service, extendedAtMs: delivery.receivedAtMs });
    this.advance();
  }

  /** Begins what may begin: a slot has got free, a call has ended. */
  advance(): void {
    if (this.#limit.rate !== undefined) void this.#pace();
    else while (this.#mayBegin()) this.#begin(this.#parked.shift(), undefined);
  }

  /** Extends what is parked; once a second. */
  extend(nowMs: number): void {
    for (const parked of this.#parked) {
      if (nowMs - parked.extendedAtMs < extendEveryMs) continue;
      parked.extendedAtMs = nowMs;
      parked.delivery.extend();
    }
  }

  /** Gives back what is parked; what has begun goes on. */
  close(): void {
    this.#isClosed = true;
    this.#giveBack(0);
  }

  #mayBegin(): boolean {
    const { concurrencyPerSidecar } = this.#limit;
    const begun = this.#inHands - this.#parked.length;
    const isFull = concurrencyPerSidecar > 0 && begun >= concurrencyPerSidecar;
    return this.#parked.length > 0 && !isFull && this.#options.free() > 0;
  }

  /** Begins one parked task at each turn, for as long as some are parked and may begin. */
  async #pace(): Promise<void> {
    if (this.#isPacing) return;
    this.#isPacing = true;
    while (!this.#isClosed && this.#limit.rate !== undefined && this.#mayBegin()) {
      const turn = await this.#turn(this.#parked.length);
      if (turn === "away") {
        this.#restsUntilMs = performance.now() + awayDelayMs;
        this.#giveBack(awayDelayMs);
      } else if (turn !== "again" && this.#mayBegin()) this.#begin(this.#parked.shift(), turn);
    }
    this.#isPacing = false;
    if (this.#limit.rate === undefined && this.#mayBegin()) this.advance();
  }

  /** Waits for the next turn; `again` when there was none that could be had in time. */
  async #turn(count: number): Promise<number | "again" | "away"> {
    const { take, pause, now } = this.#options;
    const limit = this.#limit;
    const [next] = this.#turns;
    if (next !== undefined) {
      const waitMs = next - now();
      if (waitMs > 0) {
        await pause(Math.ceil(waitMs));
        return "again";
      }
      this.#turns.shift();
      return waitMs < -latenessMs ? "again" : next;
    }
    const taken = await take(limit, count);
    switch (taken.kind) {
      case "turns":
        if (limit.sinceMs === this.#limit.sinceMs) this.#turns.push(...taken.turns);
        return "again";
      case "wait":
        await pause(Math.ceil(taken.ms));
        return "again";
      case "away":
        return "away";
    }
  }

  #begin(parked: Parked | undefined, turn: number | undefined): void {
    if (parked === undefined) return;
    const { delivery, service } = parked;
    this.#options.run(delivery, turn === undefined ? service : this.#paced(service, turn));
  }

  /** The service, called at the turn only: one that was missed, for the owner was long in answering, is had anew. */
  #paced(service: Service, turn: number): Service {
    const { now } = this.#options;
    return {
      offered: service.offered,
      invoke: (request) => (now() - turn <= latenessMs ? service.invoke(request) : this.#invokeLater(service, request)),
    };
  }

  #invokeLater(service: Service, request: CallRequest): Call {
    let call: Call | undefined;
    let isReset = false;
    const begin = async (): Promise<Ending> => {
      const { take, pause, now } = this.#options;
      for (;;) {
        if (isReset) return unsent(cancelled, "reset before the call began");
        const { rate } = this.#limit;
        const taken: TurnsTaken = rate === undefined ? { kind: "turns", turns: [now()] } : await take(this.#limit, 1);
        // It costs no attempt: the task is given back.
        if (taken.kind === "away" || this.#isClosed) return unsent(unavailable, "its turn could not be had");
        if (taken.kind === "wait") await pause(Math.ceil(taken.ms));
        else {
          const [turn = now()] = taken.turns;
          while (now() < turn && !this.#isClosed) await pause(Math.ceil(turn - now()));
          if (isReset || now() - turn > latenessMs) continue;
          call = service.invoke(request);
          return call.ending;
        }
      }
    };
    return {
      ending: begin(),
      reset: () => {
        isReset = true;
        call?.reset();
      },
    };
  }

  #giveBack(delayMs: number): void {
    for (const { delivery } of this.#parked.splice(0)) delivery.nak(delayMs);
  }

  /** A delivery that is in hands until it is settled. */
  #counted(delivery: Delivery): Delivery {
    let isSettled = false;
    const settle = (): void => {
      if (isSettled) return;
      isSettled = true;
      this.#inHands -= 1;
      // What it was part of is over by then.
      setImmediate(() => this.advance());
    };
    return onSettled(delivery, settle);
  }
}

const cancelled = 1;
const unavailable = 14;

function unsent(code: number, message: string): Ending {
  const nowMs = Date.now();
  return {
    kind: "failed",
    code,
    message,
    details: new Uint8Array(),
    pushback: undefined,
    origin: "transport",
    sent: false,
    peer: "",
    startedAtMs: nowMs,
    endedAtMs: nowMs,
  };
}
