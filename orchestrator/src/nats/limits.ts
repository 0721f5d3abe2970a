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
import { ensureLimitedConsumer, isLimitedConsumer, removeIdleConsumer } from "./topology.ts";

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
  /** How often the record is looked at; every 2 s unless told. */
  readonly everyMs?: number;
}

const key = "limits";
const rounds = 8;
const readEveryMs = 2_000;
const mendEveryMs = 30_000;
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
  #mendedMs = 0;
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: LimitsOptions) {
    this.#options = options;
    void this.#follow();
  }

  readonly isLimited = (method: string): boolean => this.#limited.size > 0 && this.#limited.has(method);

  async list(): Promise<readonly MethodLimit[]> {
    await this.#refresh();
    return this.#limits.filter(isInForce);
  }

  change(change: Parameters<Limits["change"]>[0]): Promise<boolean> {
    const changed = this.#changing.then(() => this.#change(change));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #change(change: Parameters<Limits["change"]>[0]): Promise<boolean> {
    const { nats, names, now } = this.#options;
    const nextPauseMs = growingPause(20, 500);
    for (let round = 0; round < rounds; round++) {
      await this.#refresh();
      const before = this.#limits;
      const revision = this.#revision;
      const after = change(before.filter(isInForce));
      if (after === undefined) return true;
      // First the consumers: whoever reads the record may rely on them.
      const next = merged(before, after, now());
      await this.#make(next.filter((one) => !before.includes(one)));
      if (await this.#write(next, revision)) {
        tell(nats, names, [...before, ...after]);
        return true;
      }
      await this.#refresh();
      await this.#make(this.#limits);
      await pause(nextPauseMs());
    }
    return false;
  }

  async #refresh(): Promise<void> {
    const { nats, names } = this.#options;
    const found = await readRecord(nats, names.limitsBucket, key);
    const limits = found === undefined || found.isGone ? [] : MethodLimits.decode(found.value).limit;
    this.#adopt(limits, found?.revision ?? 0);
  }

  #adopt(limits: readonly MethodLimit[], revision: number): void {
    if (revision <= this.#revision) return;
    this.#limits = limits;
    this.#limited = new Set(limits.filter(isInForce).map(({ method }) => method));
    this.#revision = revision;
  }

  async #make(limits: readonly MethodLimit[]): Promise<void> {
    const { nats, names } = this.#options;
    for (const limit of limits) await ensureLimitedConsumer(nats.connection, names, limit.method, inHandsMaxOf(limit));
  }

  /** `since`: the revision that `limits` were made from; what is in force meanwhile may be newer, and must not be lost. */
  async #write(limits: readonly MethodLimit[], since: number): Promise<boolean> {
    const { nats, names, publisher } = this.#options;
    const value = MethodLimits.encode({ limit: [...limits] }).finish();
    const swap = { bucket: names.limitsBucket, key, value, revision: Math.max(since, 0) };
    const swapped = await swapRecord(nats, publisher, swap);
    if (swapped.kind === "held") this.#adopt(limits, swapped.revision);
    return swapped.kind === "held";
  }

  /** Consumers that are not as the record says, for who changed it died or somebody removed them, are made anew. */
  async #mend(): Promise<void> {
    const { nats, names, now } = this.#options;
    if (now() - this.#mendedMs < mendEveryMs) return;
    this.#mendedMs = now();
    const revision = this.#revision;
    const wrong: MethodLimit[] = [];
    for (const limit of this.#limits)
      if (!(await isLimitedConsumer(nats.connection, names, limit.method, inHandsMaxOf(limit)))) wrong.push(limit);
    if (wrong.length === 0) return;
    await this.#refresh();
    if (this.#revision === revision) await this.#make(wrong);
  }

  /** Limits that were lifted are forgotten once no task of theirs is left. */
  async #forgetLifted(): Promise<void> {
    const { nats, names, now } = this.#options;
    for (const { method, liftedMs } of this.#limits) {
      if (liftedMs === 0 || now() - liftedMs < liftedForMs) continue;
      if (!(await removeIdleConsumer(nats.connection, names, method))) continue;
      await this.#write(
        this.#limits.filter((one) => one.method !== method),
        this.#revision,
      );
      return;
    }
  }

  async #follow(): Promise<void> {
    const { nats, log } = this.#options;
    for (let told = ""; !this.#over.signal.aborted && !nats.connection.isClosed();) {
      try {
        if (nats.isConnected()) {
          await this.#refresh();
          await this.#mend();
          await this.#forgetLifted();
        }
        told = "";
      } catch (error) {
        const reason = errorText(error);
        if (!this.#over.signal.aborted && reason !== told) log.warn("limits can't be read now", { error: reason });
        told = reason;
      }
      await pause(this.#options.everyMs ?? readEveryMs, this.#over.signal);
    }
  }
}

function inHandsMaxOf({ concurrency, liftedMs }: MethodLimit): number {
  return liftedMs === 0 && concurrency > 0 ? concurrency : tasksInHandsMax;
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
