import { hash } from "node:crypto";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { ageOf, observeClock, unknownOffset } from "../../../sidecar/src/core/admission.ts";
import { GivenBack } from "../../../sidecar/src/core/givenBack.ts";
import type { ParsedTask } from "../../../sidecar/src/core/taskMessage.ts";
import type { Delivery, Reported, Service as Offered } from "../../../sidecar/src/ports.ts";
import { Worker } from "../../../sidecar/src/worker.ts";
import { names } from "./log.ts";
import type { Link } from "./network.ts";
import { askOwner } from "./questions.ts";
import { ackWaitMs, pullExpiresMs } from "./queue.ts";
import type { QueuedTask } from "./queue.ts";
import type { Process } from "./scheduler.ts";
import type { Stage } from "./stage.ts";

/** A sidecar's process: the real worker, with a puller of ours. */
export interface SimSidecar {
  readonly process: Process;
  readonly link: Link;
  /** Tasks in its hands. */
  readonly held: () => number;
}

const concurrency = 4;
const extendCheckMs = 1_000;
const heartbeatMs = 500;
/** As in sidecar.ts. */
const clockMarginMs = 250;

/** Starts one. */
export function openSidecar(stage: Stage, name: string): SimSidecar {
  const { world, network } = stage;
  const process: Process = { name, isAlive: true, pausedUntilMs: 0 };
  const link = network.open(process);
  let pulling: Pulling | undefined;
  world.scheduler.after(process, 0, () => {
    pulling = new Pulling(stage, link, world.random.int(-300, 300));
    pulling.begin();
  });
  return { process, link, held: () => pulling?.held() ?? 0 };
}

class Pulling {
  readonly #stage: Stage;
  readonly #link: Link;
  readonly #worker: Worker;
  readonly #offered: Offered;
  readonly #clockErrorMs: number;
  #offset = unknownOffset;
  #emptySequence: number | undefined;
  readonly #givenBack = new GivenBack();
  /** Asked for and not here, and when that was asked last. */
  #outstanding = 0;
  #askedMs = 0;
  #isPullDue = false;

  constructor(stage: Stage, link: Link, clockErrorMs: number) {
    this.#stage = stage;
    this.#link = link;
    this.#clockErrorMs = stage.world.faults.skewMsMax === 0 ? 0 : clockErrorMs;
    const { name } = link.process;
    const { network, world, core } = stage;
    this.#worker = new Worker(
      {
        ask: (task, ask) => askOwner(world, network, link, core, task.message.partition, ask),
        contracts: stage.drift.contractsOf(),
        report: (task, outcome) => this.#report(task, outcome),
        now: () => this.#now(),
        logNow: () => this.#now() + this.#offset.aheadMs,
        secret: () => Promise.resolve(undefined),
        // Every answer of the simulation fits into its outcome.
        keep: () => Promise.resolve(undefined),
        fetch: () => Promise.resolve("gone"),
        pause: (ms) => pause(ms),
        connectedAtMs: () => link.connectedAtMs + this.#clockErrorMs + this.#offset.aheadMs + clockMarginMs,
        observer: {
          taken: () => undefined,
          ended: () => undefined,
          asked: () => undefined,
          setAside: () => void stage.counts.setAside++,
          unreported: (_task, reason) => void world.violations.push(`an outcome is not reported: ${reason}`),
        },
      },
      { concurrency, sidecar: { id: name, name: "side", host: "sim", version: "1" } },
    );
    this.#offered = {
      offered: { service: "test.v1.Service", methods: undefined },
      invoke: (request) => stage.service.call(link.process, request),
    };
  }

  begin(): void {
    this.#stage.core.resets.set((reset) => this.#worker.reset(reset), this.#link);
    this.#worker.onRoom(() => this.#pullSoon());
    this.#link.onReconnect.add(() => {
      this.#outstanding = 0;
      this.#emptySequence = undefined;
      this.#givenBack.clear();
      this.#pull();
    });
    setInterval(() => this.#worker.extend(), extendCheckMs);
    setInterval(() => this.#watch(), heartbeatMs);
    this.#pull();
  }

  held(): number {
    return concurrency - this.#worker.free();
  }

  #now(): number {
    return this.#stage.world.scheduler.nowMs + this.#clockErrorMs;
  }

  #watch(): void {
    if (this.#now() - this.#askedMs > pullExpiresMs + 1_300) this.#outstanding = 0;
    this.#pull();
    const { network, queue } = this.#stage;
    network.cast(this.#link, "tasks", () => {
      const upTo = queue.emptyUpTo();
      if (upTo !== undefined) network.deliver(this.#link, () => (this.#emptySequence = upTo));
    });
  }

  #pullSoon(): void {
    if (this.#isPullDue) return;
    this.#isPullDue = true;
    setTimeout(() => {
      this.#isPullDue = false;
      this.#pull();
    }, 0);
  }

  #pull(): void {
    const batch = this.#worker.free() - this.#outstanding;
    if (batch <= 0 || !this.#link.isConnected) return;
    this.#outstanding += batch;
    this.#askedMs = this.#now();
    const link = this.#link;
    const give = (task: QueuedTask, delivery: number): void => this.#take(task, delivery);
    this.#stage.network.cast(link, "tasks", () => this.#stage.queue.pull({ link, left: batch, give }));
  }

  #take(task: QueuedTask, delivery: number): void {
    const { network, queue } = this.#stage;
    const answer = (act: () => void): void => network.cast(this.#link, "tasks", () => task.isGone || act());
    const receivedAtMs = this.#now();
    this.#offset = observeClock(this.#offset, task.storedMs, receivedAtMs);
    this.#outstanding = Math.max(this.#outstanding - 1, 0);
    const given = { streamSequence: task.sequence, delivery, storedAtMs: task.storedMs };
    const known = this.#givenBack.ageOf(given, receivedAtMs);
    const age = known ?? ageOf(task.sequence, delivery, this.#emptySequence);
    const isFirst = age !== "again" && (known !== undefined || delivery === 1);
    const taken: Delivery = {
      body: task.body,
      delivery,
      streamSequence: task.sequence,
      storedAtMs: task.storedMs,
      receivedAtMs,
      age,
      isFirst,
      ack: () => answer(() => queue.remove(task)),
      nak: (delayMs, isUnbegun = false) => {
        if (isUnbegun) this.#givenBack.note({ ...given, age, isFirst }, this.#now());
        answer(() => queue.hold(task, delayMs));
      },
      extend: () => answer(() => queue.hold(task, ackWaitMs)),
      discard: () => answer(() => queue.remove(task)),
    };
    this.#worker.accept(taken, this.#offered);
  }

  async #report(task: ParsedTask, outcome: Outcome): Promise<Reported> {
    const { network, logOf } = this.#stage;
    const { partition } = task.message;
    const body = Outcome.encode(outcome).finish();
    const id = `${toHex(task.message.token)}.${hash("sha256", body, "hex").slice(0, 32)}`;
    const subject = names.outcomeSubject(partition, task.runId);
    const nextPauseMs = growingPause(50, 2_000);
    for (;;) {
      const stored = await network.call(this.#link, `log ${partition}`, () =>
        logOf(partition).append(subject, body, { id }),
      );
      if (stored !== undefined) return { kind: "stored" };
      await pause(nextPauseMs());
    }
  }
}
