import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { servicesOf, toFileSet } from "../core/descriptors.ts";
import { exposed, isInfrastructure } from "../core/exposure.ts";
import type { ExposedService } from "../core/exposure.ts";
import type { CallClient, Tls } from "./callClient.ts";
import { followHealth } from "./health.ts";
import type { Healthiness } from "./health.ts";
import { reflect } from "./reflection.ts";
import type { OpenDoors } from "./serviceDoors.ts";
import type { ServiceLink } from "./serviceLink.ts";
import type { Target } from "./target.ts";

/** One service as its process offers it now. */
export type Offer = { readonly exposed: ExposedService; readonly isServing: boolean };

export type ServiceWatchOptions = {
  readonly target: Target;
  readonly tls: Tls | undefined;
  readonly openDoors: OpenDoors;
  /** Names to expose; empty: all that is found. */
  readonly wanted: readonly string[];
  /** From a descriptor file; then nobody is asked. */
  readonly described: readonly ExposedService[] | undefined;
  /** Told each time the offers change. */
  readonly onChange: () => void;
  readonly log: Log;
};

const healthPauseMs = 1_000;
/** A service that is not there by then is told: a sidecar without its service looks well otherwise. */
const absenceToldMs = 5_000;
/** More is not told to the orchestrators. */
const descriptorsBytesMax = 4 * 1024 * 1024;

/**
 * Follows one service process: connects and reconnects, finds its services each time it comes back, and knows which of them are
 * healthy. A process without grpc.health.v1 is healthy while it is connected.
 */
export class ServiceWatch implements Disposable {
  readonly #link: ServiceLink;
  readonly client: CallClient;
  readonly #options: ServiceWatchOptions;
  readonly #health = new Map<string, Healthiness>();
  #services: readonly ExposedService[] = [];
  #descriptors: Uint8Array | undefined;
  #connection: AbortController | undefined;
  readonly #absence: NodeJS.Timeout;

  constructor(options: ServiceWatchOptions) {
    this.#options = options;
    const { link, client } = options.openDoors(options.target, options.tls, (isConnected) =>
      isConnected ? this.#connected() : this.#disconnected(),
    );
    this.#link = link;
    this.client = client;
    options.log.info("connecting to the service", { target: options.target.text });
    const remedy = "start it, or correct --service; when it speaks TLS, give --tls-ca";
    this.#absence = setTimeout(
      () => options.log.warn("the service does not answer yet, still trying", { target: options.target.text, remedy }),
      absenceToldMs,
    ).unref();
  }

  /** What it follows. */
  get target(): Target {
    return this.#options.target;
  }

  offers(): readonly Offer[] {
    return this.#services.map((service) => ({ exposed: service, isServing: this.#isServing(service.service) }));
  }

  /** The google.protobuf.FileDescriptorSet by which the process described itself last; undefined: it does not, or in too many words. */
  descriptors(): Uint8Array | undefined {
    return this.#descriptors;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#absence);
    this.#connection?.abort();
    this.#link[Symbol.dispose]();
    this.client[Symbol.dispose]();
  }

  #isServing(service: string): boolean {
    const health = this.#health.get(service);
    return this.#link.isConnected() && (health === "serving" || health === "unspoken");
  }

  #connected(): void {
    clearTimeout(this.#absence);
    this.#connection?.abort();
    const connection = new AbortController();
    this.#connection = connection;
    this.#options.log.info("connected to the service", { target: this.#options.target.text });
    void this.#follow(connection.signal);
  }

  #disconnected(): void {
    this.#connection?.abort();
    this.#health.clear();
    this.#options.log.warn("the service is away, no tasks are pulled for it", { target: this.#options.target.text });
    this.#options.onChange();
  }

  /** Never throws. */
  async #follow(signal: AbortSignal): Promise<void> {
    const found = await this.#find(signal);
    if (signal.aborted) return;
    const before = this.#services.map((one) => one.service).join();
    this.#services = found;
    if (found.map((one) => one.service).join() !== before) {
      this.#options.log.info("services found", {
        target: this.#options.target.text,
        services: found.map((one) => one.service),
      });
    }
    this.#options.onChange();
    await Promise.all(found.map((service) => this.#followHealth(service.service, signal)));
  }

  async #find(signal: AbortSignal): Promise<readonly ExposedService[]> {
    const { wanted, described, log, target } = this.#options;
    if (described !== undefined) return exposed(described, wanted);
    const nextPauseMs = growingPause(250, 5_000);
    let told = "";
    while (!signal.aborted) {
      try {
        const reflection = await reflect(this.#link);
        if (reflection === undefined) {
          this.#descriptors = undefined;
          return this.#withoutReflection();
        }
        for (const failure of reflection.failures)
          log.warn("the service can't describe itself, its name is enough", { ...failure });
        const reflected = servicesOf(reflection.files.map(({ outline }) => outline));
        const shapes = new Map(reflected.map((one) => [one.service, one]));
        const set = toFileSet(reflection.files);
        // Half of a description would look like a service that has lost methods.
        this.#descriptors = set.length > descriptorsBytesMax ? undefined : set;
        const names = reflection.services.filter((name) => !isInfrastructure(name));
        const missing = wanted.filter((name) => !names.includes(name));
        if (missing.length > 0)
          log.info("names to expose that this service does not list", { target: target.text, missing, listed: names });
        return exposed(
          names.map((service) => shapes.get(service) ?? { service, methods: undefined }),
          wanted,
        );
      } catch (error) {
        const text = errorText(error);
        if (text !== told)
          log.warn("the service does not say what it offers, asking again", { target: target.text, error: text });
        told = text;
      }
      await pause(nextPauseMs(), signal);
    }
    return [];
  }

  #withoutReflection(): readonly ExposedService[] {
    const { wanted, log, target } = this.#options;
    if (wanted.length === 0) {
      log.error("the service has no reflection: name its services with --expose or give --descriptor-set", {
        target: target.text,
      });
    }
    return exposed(undefined, wanted);
  }

  async #followHealth(service: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let isUnspoken = false;
      await followHealth(
        this.#link,
        service,
        (health) => {
          isUnspoken = health === "unspoken";
          if (signal.aborted || this.#health.get(service) === health) return;
          this.#health.set(service, health);
          if (health === "notServing")
            this.#options.log.warn("the service is not serving, no tasks are pulled for it", { service });
          if (health === "serving") this.#options.log.info("the service is serving", { service });
          this.#options.onChange();
        },
        signal,
      );
      if (isUnspoken) return;
      await pause(healthPauseMs, signal);
    }
  }
}
