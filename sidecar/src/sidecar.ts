import type {
  CatalogEntry_Draining,
  Control_Drain,
  Sidecar as SidecarFacts,
} from "../../proto/gen/sidestep/internal/v1/task.ts";
import { remembered } from "../../proto/wire/remembered.ts";
import { methodIn, splitMethod } from "../../proto/wire/subjects.ts";
import type { Names } from "../../proto/wire/subjects.ts";
import { errorText } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import { atTurnEnd } from "../../runtime/src/turnEnd.ts";
import { toPayloads } from "../../runtime/src/payloads.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import type { Publisher } from "../../runtime/src/publisher.ts";
import { openStoreRoom } from "../../runtime/src/storeRoom.ts";
import type { StoreRoom } from "../../runtime/src/storeRoom.ts";
import { atMost } from "../../runtime/src/shutdown.ts";
import { Breakers } from "./breakers.ts";
import { observeClock, unknownOffset } from "./core/admission.ts";
import type { ClockOffset } from "./core/admission.ts";
import type { BreakerBounds } from "./core/breaker.ts";
import { ClockWatch } from "./core/clockWatch.ts";
import { unaskedOf } from "./core/pullWindow.ts";
import type { Slots } from "./core/slots.ts";
import { Descriptions } from "./descriptions.ts";
import type { ServiceWatch } from "./grpc/serviceWatch.ts";
import { LimitedLanes } from "./limitedLanes.ts";
import type { openMeasures } from "./measures.ts";
import { openAsks } from "./nats/asks.ts";
import { openCatalog } from "./nats/catalog.ts";
import type { CatalogWriter } from "./nats/catalog.ts";
import { listenForControl } from "./nats/control.ts";
import { openLimitView } from "./nats/limits.ts";
import type { LimitView } from "./nats/limits.ts";
import { moveTask } from "./nats/moves.ts";
import { outcomeReporter } from "./nats/outcomes.ts";
import { fetchRequest, keepAnswer, keepDescription } from "./nats/payloads.ts";
import { TaskPuller } from "./nats/tasks.ts";
import type { Room } from "./nats/tasks.ts";
import { openTurns } from "./nats/turns.ts";
import type { Delivery, Service, WorkerPorts } from "./ports.ts";
import { providersOf } from "./providers.ts";
import type { Provider } from "./providers.ts";
import type { Secrets } from "./secrets.ts";
import { Worker } from "./worker.ts";

export type SidecarOptions = {
  readonly nats: Nats;
  readonly names: Names;
  readonly facts: SidecarFacts;
  /** Shared with calls that other services make. */
  readonly slots: Slots;
  readonly breaker: BreakerBounds;
  readonly secrets: Secrets;
  readonly measures: ReturnType<typeof openMeasures>;
  readonly log: Log;
};

type Pulling = { readonly puller: TaskPuller; readonly control: Disposable };

const extendCheckMs = 1_000;
const catalogEveryMs = 10_000;
/** How exactly the clocks of server and sidecar can be compared by what arrives. */
const clockMarginMs = 250;
const lastWordsMs = 1_000;
const awayDelayMs = 1_000;
/** So long a service's description may take to be kept before its tasks are pulled without. */
const describeMaxMs = 3_000;

/** Pulls for each service that its watches find and that is healthy, and works off what comes. */
export class Sidecar implements Disposable {
  readonly worker: Worker;
  readonly #options: SidecarOptions;
  readonly #watches = new Set<ServiceWatch>();
  readonly #pulling = new Map<string, Pulling>();
  readonly #stop = new AbortController();
  readonly #storeRoom: StoreRoom;
  readonly #publisher: Publisher;
  readonly #catalog: CatalogWriter;
  readonly #limits: LimitView;
  readonly #lanes: LimitedLanes;
  readonly #breakers: Breakers;
  readonly #descriptions: Descriptions;
  readonly #timers: readonly NodeJS.Timeout[];
  #providers: ReadonlyMap<string, Provider> = new Map();
  #isPullDue = false;
  readonly #clockWatch = new ClockWatch();
  #offset: ClockOffset = unknownOffset;
  #isDraining = false;
  /** What an operator has asked for: nothing new is taken, and the process stays. */
  #order: CatalogEntry_Draining | undefined;

  constructor(options: SidecarOptions) {
    this.#options = options;
    this.#storeRoom = openStoreRoom(options.log);
    this.#publisher = openPublisher(options.nats.connection, { room: this.#storeRoom });
    this.#catalog = openCatalog(this.#publisher, options.names, options.facts.id);
    const payloads = toPayloads(options.nats.connection, this.#publisher, options.names);
    this.#descriptions = new Descriptions({
      keep: (service, bytes) => {
        const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(describeMaxMs)]);
        return keepDescription(payloads, service, bytes, signal);
      },
      onTried: () => this.update(),
      now: () => performance.now(),
    });
    this.worker = new Worker(this.#ports(), { concurrency: options.slots, sidecar: options.facts });
    this.#breakers = new Breakers({
      ...options.breaker,
      now: () => performance.now(),
      chance: Math.random,
      onChange: (method, isOpen) => {
        options.measures.broken(method, isOpen);
        // Tasks that have waited for it come late, and prove nothing of the clocks.
        this.#clockWatch.stop();
        this.update();
      },
    });
    this.#limits = openLimitView(options.nats, options.names, options.log, () => this.update());
    this.#lanes = this.#openLanes();
    this.worker.onRoom(() => {
      this.#pullSoon();
      // Who asked for it waits for the last of them.
      if (this.#order !== undefined && this.#options.slots.taken() === 0) this.#sayAll();
    });
    this.#timers = [
      setInterval(() => {
        this.worker.extend();
        this.#lanes.extend(Date.now());
      }, extendCheckMs),
      setInterval(() => this.#sayAll(), catalogEveryMs),
    ];
  }

  /** Takes a service process on; `update` is to be called whenever its offers change. */
  add(watch: ServiceWatch): void {
    this.#watches.add(watch);
    this.update();
  }

  /** What is offered now, and whether tasks of it are pulled. */
  serving(): readonly { readonly service: string; readonly isServing: boolean }[] {
    return [...this.#providers].map(([service, { isServing }]) => ({ service, isServing }));
  }

  /** Whoever offers a service, is healthy and may be called; undefined: nobody. */
  provider(service: string): Service | undefined {
    const provider = this.#providers.get(service);
    return provider?.isServing === true && !this.#isDraining ? provider : undefined;
  }

  /** Nothing new is taken, for an operator has asked for that. */
  isDraining(): boolean {
    return this.#order !== undefined;
  }

  /** Methods whose calls are held back, for too many have failed. */
  broken(): readonly string[] {
    return this.#breakers.open();
  }

  /** Begins, pauses and ends pulling, as the offers are now. */
  update(): void {
    if (this.#isDraining) return;
    const before = this.#providers;
    this.#providers = providersOf(
      [...this.#watches],
      this.#breakers,
      (service, descriptors) => this.#order === undefined && this.#descriptions.isSettled(service, descriptors),
    );
    for (const [service, { target }] of before)
      if (this.#providers.get(service)?.target !== target) this.#breakers.forget(service);
    for (const [service, { isServing }] of this.#providers) {
      const { puller } = this.#pulling.get(service) ?? this.#begin(service);
      if (isServing) puller.resume();
      else puller.pause();
    }
    for (const [service, { puller, control }] of this.#pulling) {
      if (this.#providers.has(service)) continue;
      this.#pulling.delete(service);
      control[Symbol.dispose]();
      void puller.close();
    }
    this.#lanes.update(this.#limits.limits(), this.#providers);
    this.#pullSoon();
    this.#sayAll();
  }

  /**
   * Stops pulling, gives back what was not begun, and waits until what runs is reported and acknowledged, at most `boundMs`. True when
   * all was done. The connections to the services stay: calls that others make go on.
   */
  async drain(boundMs: number): Promise<boolean> {
    this.#isDraining = true;
    const pulling = [...this.#pulling];
    await atMost(
      lastWordsMs,
      Promise.all([
        ...pulling.map(([, { puller }]) => puller.close()),
        this.#lanes.close(),
        ...pulling.map(([service]) => this.#catalog.unsay(service)),
      ]),
    );
    const isDone = await atMost(boundMs, this.worker.drain());
    for (const timer of this.#timers) clearInterval(timer);
    this.#limits[Symbol.dispose]();
    this.#stop.abort();
    for (const [, { control }] of pulling) control[Symbol.dispose]();
    this.#pulling.clear();
    // The last acknowledgements are written before the connection closes.
    const { nats } = this.#options;
    const flushed = nats.isConnected() ? nats.connection.flush() : Promise.resolve();
    await atMost(lastWordsMs, Promise.allSettled([flushed]));
    this.#publisher[Symbol.dispose]();
    this.#storeRoom[Symbol.dispose]();
    return isDone;
  }

  /** Lets go of the services; after a drain. */
  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
  }

  #begin(service: string): Pulling {
    const { nats, names, log, measures } = this.#options;
    const pulling = {
      puller: new TaskPuller({
        nats,
        names,
        service,
        log,
        room: () => this.#room(this.#breakers.room(service)),
        accept: this.#accepting(service),
      }),
      control: listenForControl(nats, names, service, {
        onReset: (reset) => this.worker.reset(reset),
        onLimits: () => this.#limits.refresh(),
        onDrain: (drain) => this.#obey(drain),
        onGarbage: () => measures.garbage(),
      }),
    };
    this.#pulling.set(service, pulling);
    // A change may have been told before we listened.
    this.#limits.forget();
    return pulling;
  }

  /** Takes nothing new, or takes tasks again, as an operator has asked; said in the catalog at once. */
  #obey({ sidecarId, lifted, reason, actor }: Control_Drain): void {
    const { facts, log } = this.#options;
    if (sidecarId !== facts.id) return;
    const wasDraining = this.#order !== undefined;
    this.#order = lifted ? undefined : { reason, actor, sinceMs: this.#order?.sinceMs ?? Date.now() };
    if (!lifted) this.worker.giveBackWaiting();
    if (wasDraining === lifted)
      log.info(lifted ? "takes tasks again, as an operator asked" : "takes nothing new, as an operator asked", {
        reason,
        actor,
        inFlight: this.#options.slots.taken(),
      });
    this.update();
  }

  /** What may be asked for of the slots, by a service or by a limited method that has room for so many. */
  #room(room: number): Room {
    const { total: concurrency } = this.#options.slots;
    // A limit that is not known yet must not be passed.
    const inHands = Math.max(concurrency - this.worker.free(), this.#descriptions.handsMin());
    const pullers = this.#pulling.size + this.#lanes.size();
    if (!this.#limits.isKnown()) return { slots: concurrency, pullers, inHands, free: 0, asked: 0, unasked: 0 };
    const free = this.worker.free();
    let asked = this.#lanes.outstanding();
    let wanted = this.#lanes.wanted();
    for (const { puller } of this.#pulling.values()) {
      asked += puller.outstanding();
      wanted += puller.wanted();
    }
    return {
      slots: concurrency,
      pullers,
      inHands,
      free: Math.min(free, room),
      asked,
      unasked: Math.min(unaskedOf(free, wanted), room),
    };
  }

  #openLanes(): LimitedLanes {
    const { nats, names, log, facts } = this.#options;
    const turns = openTurns(nats, this.#publisher, names, facts.id);
    return new LimitedLanes({
      names,
      lane: {
        free: () => this.worker.free(),
        run: (delivery, service) =>
          this.#order === undefined ? this.worker.accept(delivery, service) : delivery.nak(awayDelayMs),
        take: turns.take,
        now: turns.now,
        pause: (ms) => pause(ms, this.#stop.signal),
      },
      pull: (service, method, room, accept) =>
        new TaskPuller({
          nats,
          names,
          service,
          method,
          log,
          room: () => this.#room(Math.min(room(), this.#breakers.room(service, method))),
          accept,
        }),
      onLimit: ({ method, concurrency, concurrencyPerSidecar, rate, isLifted }) => {
        if (isLifted) log.info("a method is limited no more", { method });
        else log.info("a method is limited", { method, concurrency, concurrencyPerSidecar, ...rate });
      },
      accept: (delivery, method, onServing) => this.#acceptOf(method, delivery, onServing),
    });
  }

  #accepting(service: string): (delivery: Delivery, subject: string) => void {
    const methodOf = remembered((subject) => `${service}/${methodIn(subject)}`);
    const take = (admitted: Delivery, provider: Service): void => this.worker.accept(admitted, provider);
    return (delivery, subject) => {
      const limited = this.#lanes.methodOf(subject);
      if (limited !== undefined) void moveTask(this.#publisher, this.#options.names, limited, delivery);
      else this.#acceptOf(methodOf(subject), delivery, take);
    };
  }

  #acceptOf(method: string, delivery: Delivery, onServing: (admitted: Delivery, provider: Service) => void): void {
    this.#offset = observeClock(this.#offset, delivery.storedAtMs, delivery.receivedAtMs);
    const aheadMs = this.#clockWatch.take(delivery.age, delivery.storedAtMs, delivery.receivedAtMs);
    if (aheadMs !== undefined)
      this.#options.log.warn("this machine's clock differs from the NATS server's", { aheadMs: Math.round(aheadMs) });
    const provider = this.#providers.get(splitMethod(method).service);
    // Asked for while it still served: another sidecar may have one that does.
    if (provider?.isServing !== true) return delivery.nak(awayDelayMs, true);
    const admitted = this.#breakers.admitted(method, delivery);
    if (admitted !== undefined) onServing(admitted, provider);
  }

  /** Slots that get free together are asked for together. */
  #pullSoon(): void {
    if (this.#isPullDue) return;
    this.#isPullDue = true;
    atTurnEnd(() => {
      this.#isPullDue = false;
      for (const { puller } of this.#pulling.values()) puller.pull();
      this.#lanes.pull();
    });
  }

  #sayAll(): void {
    const { facts, slots, nats, log } = this.#options;
    if (this.#isDraining || !nats.isConnected()) return;
    for (const service of this.#pulling.keys()) {
      const provider = this.#providers.get(service);
      if (provider === undefined) continue;
      const methods = (provider.offered.methods ?? []).map((method) => `${service}/${method.name}`);
      const entry = {
        sidecar: facts,
        services: [service],
        methods,
        target: provider.target,
        serving: provider.isServing,
        concurrency: slots.total,
        broken: this.#breakers.open().filter((method) => splitMethod(method).service === service),
        inFlight: slots.taken(),
        draining: this.#order,
        descriptors: this.#descriptions.refOf(service, provider.descriptors),
      };
      this.#catalog
        .say(service, entry)
        .catch((error: unknown) => log.debug("the catalog entry was not written", { error: errorText(error) }));
    }
  }

  #ports(): WorkerPorts {
    const { nats, names, measures, secrets } = this.#options;
    const payloads = toPayloads(nats.connection, this.#publisher, names);
    return {
      secret: secrets,
      keep: (task, bytes) => keepAnswer(payloads, task, bytes, this.#stop.signal),
      fetch: (ref) => fetchRequest(payloads, ref),
      ask: openAsks(nats, names),
      contracts: this.#descriptions,
      report: outcomeReporter(this.#publisher, names, { signal: this.#stop.signal, onRetry: () => measures.retried() }),
      now: Date.now,
      logNow: () => Date.now() + this.#offset.aheadMs,
      pause: (ms) => pause(ms, this.#stop.signal),
      connectedAtMs: () => nats.connectedAtMs() + this.#offset.aheadMs + clockMarginMs,
      observer: measures,
    };
  }
}
