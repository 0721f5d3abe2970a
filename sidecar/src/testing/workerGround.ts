import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { AskReply_Verdict, Ask, Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Ending } from "../core/ending.ts";
import type { Call, CallRequest, Delivery, Reported, Service } from "../ports.ts";
import { Worker } from "../worker.ts";
import { taskOf } from "./tasks.ts";

/** A worker among fakes: time passes by pauses only, calls end when told. */
export function makeGround({ concurrency = 4 } = {}) {
  const ground = {
    now: 1_000_000,
    connectedAtMs: 0,
    verdicts: [] as (AskReply_Verdict | undefined)[],
    asks: [] as Ask[],
    outcomes: [] as Outcome[],
    reported: [] as Reported[],
    calls: [] as { request: CallRequest; end: (ending: Partial<Ending>) => void; isReset: boolean }[],
    ended: [] as string[],
    waited: [] as number[],
    setAside: [] as string[],
    pauses: [] as number[],
    secrets: new Map<string, Uint8Array>(),
    payloads: new Map<string, Uint8Array>(),
    said: [] as string[],
    /** Of each that is given back: its call has certainly not begun. */
    unbegun: [] as boolean[],
    isUnsure: false,
    learned: [] as (AskReply_Verdict | undefined)[],
  };
  const invoke = (request: CallRequest): Call => {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const call = {
      request,
      isReset: false,
      end: (ending: Partial<Ending>) => resolve({ peer: "p:1", startedAtMs: 1, endedAtMs: 2, ...ending } as Ending),
    };
    ground.calls.push(call);
    const reset = (): void => {
      call.isReset = true;
      call.end({
        kind: "failed",
        code: 1,
        message: "Cancelled on client",
        details: new Uint8Array(),
        pushback: undefined,
        origin: "transport",
        sent: true,
      });
    };
    return { ending: promise, reset };
  };
  const service: Service = { offered: { service: "shop.v1.Stock", methods: undefined }, invoke };
  const worker = new Worker(
    {
      ask: async (_, ask) => {
        ground.asks.push(ask);
        return ground.verdicts.shift();
      },
      contracts: {
        contractOf: () => "d1",
        isUnsure: () => ground.isUnsure,
        learn: (_, verdict) => void ground.learned.push(verdict),
      },
      report: async (_, outcome) => {
        ground.outcomes.push(outcome);
        return ground.reported.shift() ?? { kind: "stored" };
      },
      now: () => ground.now,
      logNow: () => ground.now,
      keep: async (_, bytes) => ({
        runId: "",
        service: "",
        id: "kept",
        chunks: 1,
        sizeBytes: bytes.length,
        key: new Uint8Array(),
      }),
      fetch: async ({ id }) => ground.payloads.get(id) ?? "gone",
      secret: async (name) => ground.secrets.get(name),
      pause: async (ms) => {
        ground.pauses.push(ms);
        ground.now += ms;
      },
      connectedAtMs: () => ground.connectedAtMs,
      observer: {
        taken: (_, waitedMs) => ground.waited.push(waitedMs),
        ended: (_, outcome) => ground.ended.push(outcome),
        asked: () => undefined,
        setAside: (reason) => ground.setAside.push(reason),
        unreported: () => undefined,
      },
    },
    { concurrency, sidecar: { id: "s1", name: "s", host: "h", version: "0" } },
  );
  const deliver = (about: Partial<Task> & { number?: number }, facts: Partial<Delivery> = {}): void => {
    const { number = 1, ...rest } = about;
    const say = (what: string) => void ground.said.push(`${number} ${what}`);
    worker.accept(
      {
        body: Task.encode(taskOf(number, rest)).finish(),
        delivery: 1,
        streamSequence: number,
        storedAtMs: 1_000_000,
        receivedAtMs: ground.now,
        age: "unknown",
        isFirst: (facts.delivery ?? 1) === 1,
        ack: () => say("ack"),
        nak: (ms, isUnbegun) => {
          say(`nak ${ms}`);
          ground.unbegun.push(isUnbegun === true);
        },
        extend: () => say("extend"),
        discard: (reason) => say(`discard: ${reason}`),
        ...facts,
      },
      service,
    );
  };
  /** Everything that can happen has happened. */
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return Object.assign(ground, { worker, deliver, settle });
}
