import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { StartRunRequest, StartRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";

/** A client of a front door: bytes there and back. */
export interface Caller extends Disposable {
  /** Calls an rpc such as "bench.v1.Chain/Ten"; rejects with the ServiceError of grpc-js. */
  call(rpc: string, request: Uint8Array): Promise<Uint8Array>;
  /** Starts a run without waiting for its end; its id. */
  start(workflow: string, request: Uint8Array): Promise<string>;
}

const same = (bytes: Buffer): Buffer => bytes;
const deadlineMs = 120_000;

/** Opens one. */
export function openCaller(address: string): Caller {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
  const none = new Metadata();
  const call = (rpc: string, request: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + deadlineMs;
      client.makeUnaryRequest(`/${rpc}`, same, same, Buffer.from(request), none, { deadline }, (error, answer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
      );
    });
  return {
    call,
    start: async (workflow, request) => {
      const start = StartRunRequest.encode({ workflow, request, idempotencyKey: "" }).finish();
      return StartRunResponse.decode(await call("sidestep.v1.Runs/Start", start)).runId;
    },
    [Symbol.dispose]: () => client.close(),
  };
}

/** Does something `count` times, so many at a time. */
export async function inFlight(
  count: number,
  atATime: number,
  once: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < count) await once(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atATime, count) }, loop));
}
