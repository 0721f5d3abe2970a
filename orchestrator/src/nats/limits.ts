import { MethodLimits } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { MethodLimit } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Control } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import { readRecord, swapRecord } from "./record.ts";
import { tasksInHandsMax } from "./streams.ts";
import { ensureLimitedConsumer, removeIdleConsumer } from "./topology.ts";

/** The limits of methods, as this orchestrator knows them. */
export interface Limits extends Disposable {
  /** Whether tasks of the method are published on its own subject; costs nothing without limits. */
  readonly isLimited: (method: string) => boolean;
  /** Those in force. Throws when NATS does not answer. */
  list(): Promise<readonly MethodLimit[]>;
  /**
   * Changes them, again and again while others change them meanwhile; from `change` undefined: nothing is to be written. What is left out is
   * lifted. Consumers and sidecars know when it resolves; false: others changed them all the time. Throws when NATS does not answer.
   */
  change(change: (limits: readonly MethodLimit[]) => readonly MethodLimit[] | undefined): Promise<boolean>;
}

export interface LimitsOptions {
  readonly nats: Nats;
  readonly names: Names;
  readonly publisher: Publisher;
  readonly log: Log;
  readonly now: () => number;
}

const key = "limits";
const rounds = 8;
const readEveryMs = 2_000;
/** A consumer may be removed by one who knew less. */
const makeEveryMs = 30_000;
/** By then everybody knows that the limit was lifted, and nothing more comes on the method's subject. */
const liftedForMs = 60_000;

/** Follows the record of limits until it is disposed of. While NATS does not answer, what was read last holds. */
export function openLimits(options: LimitsOptions): Limits {
  return new KeptLimits(options);
}

class KeptLimits implements Limits {
  readonly #options: LimitsOptions;
  readonly #over = new AbortController();
  #limited: ReadonlySet<string> = new Set();
  #limits: readonly MethodLimit[] = [];
  #revision = -1;
  #madeMs = 0;

  constructor(options: LimitsOptions) {
    this.#options = options;
    void this.#follow();
  }

  readonly isLimited = (method: string): boolean => this.#limited.size > 0 && this.#limited.has(method);

  async list(): Promise<readonly MethodLimit[]> {
    await this.#refresh();
    return this.#limits.filter(isInForce);
  }

  async change(change: Parameters<Limits["change"]>[0]): Promise<boolean> {
    const { nats, names, now } = this.#options;
    const nextPauseMs = growingPause(20, 500);
    for (let round = 0; round < rounds; round++) {
      await this.#refresh();
      const before = this.#limits;
      const after = change(before.filter(isInForce));
      if (after === undefined) return true;
      if (await this.#write(merged(before, after, now()))) {
        tell(nats, names, [...before, ...after]);
        return true;
      }
      await pause(nextPauseMs());
    }
    return false;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  /** What the record says, carried out: each limit has its consumer. Doing it again changes nothing. */
  async #refresh(): Promise<void> {
    const { nats, names, now } = this.#options;
    const found = await readRecord(nats, names.limitsBucket, key);
    const revision = found?.revision ?? 0;
    if (revision > this.#revision) {
      const limits = found === undefined || found.isGone ? [] : MethodLimits.decode(found.value).limit;
      await this.#make(limits);
      this.#limited = new Set(limits.filter(isInForce).map(({ method }) => method));
      this.#limits = limits;
      this.#revision = revision;
    } else if (now() - this.#madeMs > makeEveryMs) await this.#make(this.#limits);
  }

  async #make(limits: readonly MethodLimit[]): Promise<void> {
    const { nats, names, now } = this.#options;
    for (const { method, concurrency, liftedMs } of limits) {
      const inHandsMax = liftedMs === 0 && concurrency > 0 ? concurrency : tasksInHandsMax;
      await ensureLimitedConsumer(nats.connection, names, method, inHandsMax);
    }
    this.#madeMs = now();
  }

  async #write(limits: readonly MethodLimit[]): Promise<boolean> {
    const { nats, names, publisher } = this.#options;
    const value = MethodLimits.encode({ limit: [...limits] }).finish();
    const swap = { bucket: names.limitsBucket, key, value, revision: this.#revision };
    if ((await swapRecord(nats, publisher, swap)).kind !== "held") return false;
    await this.#refresh();
    return true;
  }

  /** Limits that were lifted are forgotten once no task of theirs is left. */
  async #forgetLifted(): Promise<void> {
    const { nats, names, now } = this.#options;
    for (const { method, liftedMs } of this.#limits) {
      if (liftedMs === 0 || now() - liftedMs < liftedForMs) continue;
      if (!(await removeIdleConsumer(nats.connection, names, method))) continue;
      await this.#write(this.#limits.filter((one) => one.method !== method));
      return;
    }
  }

  async #follow(): Promise<void> {
    const { nats, log } = this.#options;
    for (let told = ""; !this.#over.signal.aborted && !nats.connection.isClosed();) {
      try {
        if (nats.isConnected()) await this.#refresh().then(() => this.#forgetLifted());
        told = "";
      } catch (error) {
        const reason = errorText(error);
        if (!this.#over.signal.aborted && reason !== told) log.warn("limits can't be read now", { error: reason });
        told = reason;
      }
      await pause(readEveryMs, this.#over.signal);
    }
  }
}

function isInForce({ liftedMs }: MethodLimit): boolean {
  return liftedMs === 0;
}

/** Limits that are left out stay known as lifted, until their tasks are done. */
function merged(before: readonly MethodLimit[], after: readonly MethodLimit[], nowMs: number): readonly MethodLimit[] {
  const set = new Set(after.map(({ method }) => method));
  const lifted = before.flatMap((one) =>
    set.has(one.method) ? [] : [isInForce(one) ? { ...one, liftedMs: nowMs } : one],
  );
  return [...after, ...lifted];
}

/** Told over core NATS; a sidecar that does not hear it looks by itself now and then. */
function tell(nats: Nats, names: Names, limits: readonly MethodLimit[]): void {
  const data = Control.encode({ kind: { $case: "limitsChanged", value: {} } }).finish();
  const services = new Set(limits.map(({ method }) => splitMethod(method).service));
  for (const service of services) nats.connection.publish(names.controlSubject(service), data);
}
