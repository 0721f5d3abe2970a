import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServiceDefinition, ServiceError } from "@grpc/grpc-js";

/** A call as the service saw it; `endedMs` undefined: it runs. Times of the service's monotonic clock. */
export type SeenCall = {
  readonly method: string;
  readonly attempt: string;
  /** Equal for all attempts of one call. */
  readonly key: string;
  readonly begunMs: number;
  endedMs: number | undefined;
};

/** An unmodified gRPC service in this process, which sees how it is called. */
export interface SeenService extends AsyncDisposable {
  readonly address: string;
  readonly calls: SeenCall[];
  /** What a call is answered with, and after how long; code 0 is OK. */
  answer: (call: SeenCall) => { readonly code: number; readonly afterMs: number };
  /** Calls of a method that run now. */
  running(method: string): number;
}

/** Serves the methods of `test.v1.Things`, whose requests and answers are empty. */
export async function openSeenService(service: string, methods: readonly string[]): Promise<SeenService> {
  const server = new Server();
  const calls: SeenCall[] = [];
  const same = (bytes: Buffer): Buffer => bytes;
  const definition: ServiceDefinition = Object.fromEntries(
    methods.map((method) => [
      method,
      {
        path: `/${service}/${method}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    ]),
  );
  const seen: SeenService = {
    address: "",
    calls,
    answer: () => ({ code: 0, afterMs: 0 }),
    running: (method) => calls.filter((one) => one.method === method && one.endedMs === undefined).length,
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
  server.addService(
    definition,
    Object.fromEntries(
      methods.map((method) => [
        method,
        (
          call: {
            readonly metadata: { get(key: string): unknown[] };
            on(event: "cancelled", listener: () => void): void;
          },
          answer: (error: Partial<ServiceError> | null, response?: Buffer) => void,
        ) => {
          const [attempt] = call.metadata.get("sidestep-attempt");
          const [key] = call.metadata.get("idempotency-key");
          const begunMs = performance.now();
          const one: SeenCall = { method, attempt: String(attempt), key: String(key), begunMs, endedMs: undefined };
          calls.push(one);
          const { code, afterMs } = seen.answer(one);
          const end = (): void => {
            one.endedMs ??= performance.now();
            if (code === 0) answer(null, Buffer.alloc(0));
            else answer({ code, details: "as the test wants it" });
          };
          if (afterMs === 0) return end();
          const timer = setTimeout(end, afterMs);
          call.on("cancelled", () => {
            clearTimeout(timer);
            one.endedMs ??= performance.now();
          });
        },
      ]),
    ),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return Object.assign(seen, { address: `127.0.0.1:${port}` });
}

/** The most calls that ran at one time, of those that began at or after `fromMs`. */
export function mostAtATime(calls: readonly SeenCall[], fromMs = 0): number {
  const ends = calls
    .filter(({ begunMs }) => begunMs >= fromMs)
    .flatMap(({ begunMs, endedMs }) => [
      { atMs: begunMs, by: 1 },
      { atMs: endedMs ?? Infinity, by: -1 },
    ])
    .toSorted((a, b) => a.atMs - b.atMs || a.by - b.by);
  let running = 0;
  let most = 0;
  for (const { by } of ends) most = Math.max(most, (running += by));
  return most;
}

/** The most calls that began within any span of so long. */
export function mostWithin(calls: readonly SeenCall[], spanMs: number): number {
  const begun = calls.map(({ begunMs }) => begunMs).toSorted((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [index, atMs] of begun.entries()) {
    while ((begun[first] ?? atMs) <= atMs - spanMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
