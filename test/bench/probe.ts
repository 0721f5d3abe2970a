import { performance } from "node:perf_hooks";
import { status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import type { Caller } from "./caller.ts";
import { quantile } from "./accounting.ts";
import { toSayRequest } from "./sayRequest.ts";

/** Runs of somebody else, one after the other, by whose time it shows what the rest costs them. */
export interface Probe {
  /** Of the runs so far; failed ones are thrown when it stops. */
  readonly samples: readonly Sample[];
  /** Starts that were refused for overload, and asked for again. */
  readonly refused: () => number;
  stop(): Promise<void>;
}

export interface Sample {
  /** performance.now() at its start. */
  readonly atMs: number;
  readonly tookMs: number;
}

const request = toSayRequest("x".repeat(120));
const betweenMs = 2;

/** Starts a run of one call, again and again. */
export function startProbe(caller: Caller, rpc = "bench.v1.Chain/One"): Probe {
  const samples: Sample[] = [];
  let isStopped = false;
  let refused = 0;
  const loop = async (): Promise<void> => {
    while (!isStopped) {
      const atMs = performance.now();
      try {
        await caller.call(rpc, request);
        samples.push({ atMs, tookMs: performance.now() - atMs });
      } catch (error) {
        if ((error as ServiceError).code !== status.RESOURCE_EXHAUSTED) throw error;
        refused += 1;
      }
      await pause(betweenMs);
    }
  };
  const ended = loop();
  ended.catch(() => undefined);
  return {
    samples,
    refused: () => refused,
    stop: async () => {
      isStopped = true;
      await ended;
    },
  };
}

/** Probes for so long. */
export async function probeFor(caller: Caller, seconds: number): Promise<readonly Sample[]> {
  const probe = startProbe(caller);
  await pause(seconds * 1_000);
  await probe.stop();
  return probe.samples;
}

/** p50 and p99 of how long they took. */
export function spreadOf(samples: readonly Sample[]): { readonly p50Ms: number; readonly p99Ms: number } {
  const took = samples.map((it) => it.tookMs);
  return { p50Ms: round(quantile(took, 0.5)), p99Ms: round(quantile(took, 0.99)) };
}

export function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
