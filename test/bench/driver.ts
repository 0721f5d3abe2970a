// The caller of the benchmark, in a process of its own: starts runs by gRPC and waits for their answers. It is told what to do over
// the IPC channel of its parent, one request at a time.
import { Client, credentials, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { toSayRequest } from "./sayRequest.ts";
import type { DriverReply, DriverRequest } from "./driverMessages.ts";

const same = (bytes: Buffer): Buffer => bytes;
const payload = toSayRequest("x".repeat(120));
const deadlineMs = 180_000;
const clients = new Map<string, Client>();

process.on("message", (request: DriverRequest) => {
  void serve(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ kind: "failed", message: String(error) } satisfies DriverReply),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" } satisfies DriverReply);

async function serve(request: DriverRequest): Promise<DriverReply> {
  switch (request.kind) {
    case "latency":
      return { kind: "latency", millis: await measureLatency(request.address, request.method, request.count) };
    case "load":
      return await measureLoad(request);
    case "burst":
      return await measureBurst(request);
    case "pace":
      return await measurePace(request);
  }
}

async function measureLatency(address: string, method: string, count: number): Promise<number[]> {
  const millis: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await callOnce(address, method);
    millis.push(performance.now() - start);
  }
  return millis;
}

/** Closed loop: `runs` callers, each starts the next run when the last has answered. Only what ends inside the window counts. */
async function measureLoad(request: Extract<DriverRequest, { kind: "load" }>): Promise<DriverReply> {
  let counting = false;
  let stopped = false;
  let done = 0;
  let errors = 0;
  let lastError = "";
  const { addresses } = request;
  const loop = async (index: number): Promise<void> => {
    const address = addresses[index % addresses.length] ?? "";
    while (!stopped) {
      try {
        await callOnce(address, request.method);
        if (counting) done += 1;
      } catch (error) {
        errors += 1;
        lastError = String(error);
        if (errors > 100) stopped = true;
      }
    }
  };
  const loops = Array.from({ length: request.runs }, (_, index) => loop(index));
  await pause(request.warmMs);
  counting = true;
  process.send?.({ kind: "counting" } satisfies DriverReply);
  const start = performance.now();
  await pause(request.windowMs);
  counting = false;
  const seconds = (performance.now() - start) / 1000;
  process.send?.({ kind: "counted" } satisfies DriverReply);
  stopped = true;
  await Promise.all(loops);
  return { kind: "load", done, seconds, errors, lastError };
}

const burstConnections = 20;

/** All of it is asked at once. */
async function measureBurst({
  address,
  method,
  count,
}: Extract<DriverRequest, { kind: "burst" }>): Promise<DriverReply> {
  const answers: Record<string, number> = {};
  const okMillis: number[] = [];
  let withRetryInfo = 0;
  const pool = Array.from(
    { length: burstConnections },
    () => new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
  );
  await Promise.all(pool.map((client) => callOnce(address, method, client)));
  const start = performance.now();
  const one = async (index: number): Promise<void> => {
    let code = status.OK;
    try {
      await callOnce(address, method, pool[index % burstConnections]);
      okMillis.push(performance.now() - start);
    } catch (error) {
      const failure = error as ServiceError;
      code = failure.code;
      if (code === status.RESOURCE_EXHAUSTED && saysWhen(failure)) withRetryInfo += 1;
    }
    const name = status[code] ?? String(code);
    answers[name] = (answers[name] ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  const seconds = (performance.now() - start) / 1000;
  for (const client of pool) client.close();
  return { kind: "burst", answers, withRetryInfo, seconds, okMillis };
}

const paceTickMs = 10;

/** Answers once all of them have. */
async function measurePace({
  address,
  method,
  perSecond,
  windowMs,
}: Extract<DriverRequest, { kind: "pace" }>): Promise<DriverReply> {
  const okMillis: number[] = [];
  const startedMs: number[] = [];
  let errors = 0;
  let lastError = "";
  const start = performance.now();
  const one = async (): Promise<void> => {
    const oneStart = performance.now();
    try {
      await callOnce(address, method);
      okMillis.push(performance.now() - oneStart);
      startedMs.push(oneStart - start);
    } catch (error) {
      errors += 1;
      lastError = String(error);
    }
  };
  const all: Promise<void>[] = [];
  for (let sinceMs = 0; sinceMs < windowMs; sinceMs = performance.now() - start) {
    while (all.length < (sinceMs * perSecond) / 1_000) all.push(one());
    await pause(paceTickMs);
  }
  await Promise.all(all);
  return { kind: "pace", okMillis, startedMs, errors, lastError };
}

function saysWhen({ metadata }: ServiceError): boolean {
  const [details] = metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(details)) return false;
  return RpcStatus.decode(details).details.some(({ typeUrl }) => typeUrl.endsWith("google.rpc.RetryInfo"));
}

function callOnce(address: string, method: string, own?: Client): Promise<Buffer> {
  const client = own ?? clients.get(address) ?? new Client(address, credentials.createInsecure());
  if (own === undefined) clients.set(address, client);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(method, same, same, payload, { deadline: Date.now() + deadlineMs }, (error, answer) =>
      error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
    );
  });
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
