import { randomUUID } from "node:crypto";
import type { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { pause } from "../../runtime/src/pause.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import type { ParsedTask } from "../../sidecar/src/core/taskMessage.ts";
import { openAsks } from "../../sidecar/src/nats/asks.ts";
import { outcomeReporter } from "../../sidecar/src/nats/outcomes.ts";
import { TaskPuller } from "../../sidecar/src/nats/tasks.ts";
import type { Call, CallRequest } from "../../sidecar/src/ports.ts";
import { Worker } from "../../sidecar/src/worker.ts";
import { connectTo, silent } from "./connectTo.ts";

/** A sidecar of this process: the real worker over the real NATS; only the service is a function. */
export interface Sidecar {
  /** Ends without a word, as a killed process does: what it pulled stays pulled, what it would have said is not said. */
  readonly kill: () => Promise<void>;
}

/** Where a test comes in between; each promise that never resolves keeps the sidecar from going on. */
export interface SidecarScript {
  /** The service: makes the call and answers OK with these bytes. */
  readonly serve: (step: string, request: CallRequest) => Promise<Uint8Array>;
  /** A claim is stored; the owner is asked next whether it is granted. */
  readonly onClaimed?: (step: string) => Promise<void>;
  /** How an attempt ended is about to be reported. */
  readonly onEnded?: (task: ParsedTask, outcome: Outcome) => Promise<void>;
}

const concurrency = 100;
const names = toNames();

/** Opens one that takes the tasks of a service. */
export async function openSidecar(url: string, service: string, script: SidecarScript): Promise<Sidecar> {
  const facts = { id: randomUUID(), name: "test", host: "test", version: "test" };
  const nats = await connectTo(url, facts.id);
  const publisher = openPublisher(nats.connection);
  const askOwner = openAsks(nats, names);
  const stop = new AbortController();
  const reportOutcome = outcomeReporter(publisher, names, { signal: stop.signal, onRetry: () => undefined });
  const never = new Promise<undefined>(() => undefined);
  const worker = new Worker(
    {
      ask: async (task, ask) => {
        if (ask.claimed) await script.onClaimed?.(task.attempt.step);
        return stop.signal.aborted ? never : askOwner(task, ask);
      },
      contracts: { contractOf: () => "", isUnsure: () => false, learn: () => undefined },
      report: async (task, outcome) => {
        if (outcome.kind?.$case !== "started") await script.onEnded?.(task, outcome);
        return reportOutcome(task, outcome);
      },
      now: Date.now,
      logNow: Date.now,
      keep: () => Promise.resolve(undefined),
      fetch: () => Promise.resolve("gone"),
      secret: () => Promise.resolve(undefined),
      pause: (ms) => pause(ms, stop.signal),
      connectedAtMs: () => nats.connectedAtMs(),
      observer: {
        taken: () => undefined,
        ended: () => undefined,
        asked: () => undefined,
        setAside: () => undefined,
        unreported: () => undefined,
      },
    },
    { concurrency, sidecar: facts },
  );
  const puller = new TaskPuller({
    nats,
    names,
    service,
    log: silent,
    room: () => ({
      slots: concurrency,
      pullers: 1,
      inHands: concurrency - worker.free(),
      free: worker.free(),
      asked: 0,
      unasked: worker.free(),
    }),
    accept: (delivery) =>
      worker.accept(delivery, { offered: { service, methods: undefined }, invoke: (request) => call(script, request) }),
  });
  puller.resume();
  return {
    kill: async () => {
      stop.abort();
      await nats.connection.close();
      await puller.close();
    },
  };
}

function call({ serve }: SidecarScript, request: CallRequest): Call {
  const step = request.headers.find(({ key }) => key === "sidestep-step")?.value ?? new Uint8Array();
  const startedAtMs = Date.now();
  const ending = serve(new TextDecoder().decode(step), request).then(
    (response) => ({ kind: "answered", peer: "test", startedAtMs, endedAtMs: Date.now(), response }) as const,
  );
  return { ending, reset: () => undefined };
}
