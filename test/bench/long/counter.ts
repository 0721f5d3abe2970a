import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerUnaryCall, ServiceDefinition } from "@grpc/grpc-js";
import { performance } from "node:perf_hooks";
import { decodeCount } from "./count.ts";

/** The service of the long runs: bench.v1.Counter, with grpc-js, in the process that measures. */
export interface Counter extends AsyncDisposable {
  readonly port: number;
  /** Calls of Count so far, repeats included. */
  calls(): number;
  /** The greatest number that it was asked, -1 at first. Of a loop it is asked one after the other; anything else is an error. */
  reached(): number;
  /** Resolves once it was asked this number, or a greater one. */
  untilReached(i: number): Promise<void>;
  /** Resolves once a call of Hold with this number runs. */
  held(i: number): Promise<void>;
  /** Resolves with performance.now() of the moment at which the service was told that a call of Hold is cancelled. */
  cancelled(i: number): Promise<number>;
}

type Answer = (error: null, bytes: Buffer) => void;
type Call = ServerUnaryCall<Buffer, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string): ServiceDefinition[string] => ({
  path: `/bench.v1.Counter/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

/** Opens it on a free port. */
export async function openCounter(): Promise<Counter> {
  let calls = 0;
  let reached = -1;
  let waiting: { readonly i: number; readonly resolve: () => void }[] = [];
  const held = openMoments();
  const cancelled = openMoments();
  const server = new Server();
  server.addService(
    { Count: method("Count"), Hold: method("Hold") },
    {
      Count: ({ request }: Call, answer: Answer) => {
        calls++;
        const i = decodeCount(request);
        if (i > reached) {
          reached = i;
          for (const it of waiting) if (i >= it.i) it.resolve();
          if (waiting.length > 0) waiting = waiting.filter((it) => i < it.i);
        }
        answer(null, request);
      },
      Hold: (call: Call, answer: Answer) => {
        const i = decodeCount(call.request);
        held.come(i);
        call.on("cancelled", () => {
          cancelled.come(i);
          answer(null, call.request);
        });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    port,
    calls: () => calls,
    reached: () => reached,
    untilReached: (i) =>
      reached >= i ? Promise.resolve() : new Promise<void>((resolve) => void waiting.push({ i, resolve })),
    held: async (i) => void (await held.at(i)),
    cancelled: (i) => cancelled.at(i),
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** When each of some numbered things happened first. */
function openMoments(): { come(i: number): void; at(i: number): Promise<number> } {
  const moments = new Map<number, PromiseWithResolvers<number>>();
  const of = (i: number): PromiseWithResolvers<number> => {
    const moment = moments.get(i) ?? Promise.withResolvers<number>();
    moments.set(i, moment);
    return moment;
  };
  return { come: (i) => of(i).resolve(performance.now()), at: (i) => of(i).promise };
}
