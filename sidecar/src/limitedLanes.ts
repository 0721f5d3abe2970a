import type { Names } from "../../proto/wire/subjects.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import type { Limit } from "./core/limit.ts";
import { LimitedLane } from "./limitedLane.ts";
import type { LaneOptions } from "./limitedLane.ts";
import type { TaskPuller } from "./nats/tasks.ts";
import type { Delivery, Service } from "./ports.ts";

export type LanesOptions = {
  readonly names: Names;
  readonly lane: Omit<LaneOptions, "limit">;
  /** Pulls the tasks of a limited method, for so many as there is room. */
  readonly pull: (
    service: string,
    method: string,
    room: () => number,
    accept: (delivery: Delivery) => void,
  ) => TaskPuller;
  /** A limit of a method that is offered here is new, or another than before. */
  readonly onLimit: (limit: Limit) => void;
  /** Gives a delivery to the service, or back when it does not serve. */
  readonly accept: (
    delivery: Delivery,
    method: string,
    onServing: (admitted: Delivery, provider: Service) => void,
  ) => void;
};

type Lane = { readonly service: string; readonly lane: LimitedLane; readonly puller: TaskPuller };

/** The limited methods of the services that are offered here, each with its tasks. */
export class LimitedLanes {
  readonly #options: LanesOptions;
  readonly #lanes = new Map<string, Lane>();
  /** What was told of each limit last. */
  readonly #told = new Map<string, string>();
  /** Of limits in force: by the subject on which tasks of the method are published without one. */
  #methods: ReadonlyMap<string, string> = new Map();

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** Begins and ends pulling, as limits and offers are now. */
  update(limits: readonly Limit[], providers: ReadonlyMap<string, { readonly isServing: boolean }>): void {
    const { names } = this.#options;
    const ours = limits.filter(({ method }) => providers.has(splitMethod(method).service));
    this.#methods = new Map(
      ours.filter(({ isLifted }) => !isLifted).map(({ method }) => [names.taskSubject(method), method]),
    );
    const wanted = new Set(ours.map(({ method }) => method));
    for (const limit of ours) {
      const lane = this.#lanes.get(limit.method);
      const { puller, service } = lane ?? this.#begin(limit);
      lane?.lane.change(limit);
      const told = `${limit.sinceMs} ${limit.isLifted}`;
      if (this.#told.get(limit.method) !== told) this.#options.onLimit(limit);
      this.#told.set(limit.method, told);
      if (providers.get(service)?.isServing === true) puller.resume();
      else puller.pause();
    }
    for (const [method, one] of this.#lanes) {
      if (wanted.has(method)) continue;
      this.#lanes.delete(method);
      this.#told.delete(method);
      void end(one);
    }
  }

  /** The limited method whose tasks must not come on this subject; undefined: they may. */
  methodOf(subject: string): string | undefined {
    return this.#methods.size === 0 ? undefined : this.#methods.get(subject);
  }

  /** Tasks asked for that have not come. */
  outstanding(): number {
    let sum = 0;
    for (const { puller } of this.#lanes.values()) sum += puller.outstanding();
    return sum;
  }

  /** How many of them are to be counted on. */
  wanted(): number {
    let sum = 0;
    for (const { puller } of this.#lanes.values()) sum += puller.wanted();
    return sum;
  }

  /** How many methods are pulled for. */
  size(): number {
    return this.#lanes.size;
  }

  /** Slots have got free. */
  pull(): void {
    for (const { lane, puller } of this.#lanes.values()) {
      lane.advance();
      puller.pull();
    }
  }

  extend(nowMs: number): void {
    for (const { lane } of this.#lanes.values()) lane.extend(nowMs);
  }

  /** Takes no more tasks and gives back what waits for its turn; resolves when the server knows. */
  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(end));
  }

  #begin(limit: Limit): Lane {
    const { service } = splitMethod(limit.method);
    const lane = new LimitedLane({ ...this.#options.lane, limit });
    const puller = this.#options.pull(
      service,
      limit.method,
      () => lane.room(),
      (delivery) =>
        this.#options.accept(delivery, limit.method, (admitted, provider) => lane.accept(admitted, provider)),
    );
    const begun = { service, lane, puller };
    this.#lanes.set(limit.method, begun);
    return begun;
  }
}

async function end({ lane, puller }: Lane): Promise<void> {
  lane.close();
  await puller.close();
}
