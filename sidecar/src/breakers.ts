import { splitMethod } from "../../proto/wire/subjects.ts";
import { admitCall, newBreaker, noteCall, probeLost, signOf, windowMs } from "./core/breaker.ts";
import type { Admitted, Breaker, BreakerBounds } from "./core/breaker.ts";
import type { Ending } from "./core/ending.ts";
import type { Delivery, Service } from "./ports.ts";
import { onSettled } from "./settled.ts";

export type BreakersOptions = BreakerBounds & {
  /** In milliseconds, never set back. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly chance: () => number;
  /** A breaker has opened or closed. */
  readonly onChange: (method: string, isOpen: boolean) => void;
};

/** One probe is pulled for at a time, and not sooner than this after the last. */
const probePullMs = 200;

/**
 * Holds the calls of a method back while too many of them fail, so that a service which is in trouble is left alone and no attempt is spent
 * on it. Now and then one call is let through, and one that is answered lets the others go on.
 */
export class Breakers {
  readonly #options: BreakersOptions;
  /** Of each service the methods that have been called. */
  readonly #services = new Map<string, Map<string, Breaker>>();
  readonly #open = new Set<string>();
  readonly #probePulledMs = new Map<string, number>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Methods whose calls are held back. */
  open(): readonly string[] {
    return [...this.#open];
  }

  /** The service, whose calls are looked at from now on. */
  watched<S extends Service>(service: S): S {
    return {
      ...service,
      invoke: (request) => {
        const call = service.invoke(request);
        const note = (ending: Ending): void => {
          const { now, chance } = this.#options;
          const breaker = this.#of(request.method);
          if (noteCall(breaker, signOf(ending), this.#options, now(), chance())) this.#changed(request.method, breaker);
        };
        // What can't tell how it ended says nothing of the target.
        call.ending.then(note, () => undefined);
        return call;
      },
    };
  }

  /** The delivery when its call may begin; undefined: it has been given back. */
  admitted(method: string, delivery: Delivery): Delivery | undefined {
    if (this.#open.size === 0 || !this.#open.has(method)) return delivery;
    const breaker = this.#of(method);
    const { now, chance } = this.#options;
    const admitted: Admitted = admitCall(breaker, now(), chance());
    switch (admitted.kind) {
      case "run":
        return delivery;
      case "probe":
        return onSettled(delivery, () => probeLost(breaker));
      case "rest":
        delivery.nak(admitted.ms, true);
        return undefined;
    }
  }

  /**
   * How many tasks of a service may be pulled, of a limited method alone when it is given: none while all that is called there fails, one when it is
   * time for a probe.
   */
  room(service: string, method?: string): number {
    if (this.#open.size === 0) return Infinity;
    const nowMs = this.#options.now();
    const methods = this.#services.get(service);
    const looked = method === undefined ? [...(methods?.values() ?? [])] : [methods?.get(method) ?? newBreaker()];
    const held = looked.filter(({ kind }) => kind !== "closed");
    const isAnswering = looked.some(
      ({ kind, lastSuccessMs }) => kind === "closed" && (method !== undefined || nowMs - lastSuccessMs < windowMs),
    );
    if (held.length === 0 || isAnswering) return Infinity;
    if (!held.some(({ kind, untilMs }) => kind === "open" && nowMs >= untilMs)) return 0;
    const about = method ?? service;
    if (nowMs - (this.#probePulledMs.get(about) ?? -Infinity) < probePullMs) return 0;
    this.#probePulledMs.set(about, nowMs);
    return 1;
  }

  /** The service is another process now. */
  forget(service: string): void {
    this.#services.delete(service);
    for (const method of this.#open) if (splitMethod(method).service === service) this.#open.delete(method);
  }

  #of(method: string): Breaker {
    const { service } = splitMethod(method);
    const methods = this.#services.get(service) ?? new Map<string, Breaker>();
    this.#services.set(service, methods);
    const breaker = methods.get(method) ?? newBreaker();
    methods.set(method, breaker);
    return breaker;
  }

  #changed(method: string, { kind }: Breaker): void {
    if (kind === "open") this.#open.add(method);
    else this.#open.delete(method);
    this.#options.onChange(method, kind === "open");
  }
}
