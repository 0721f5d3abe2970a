import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HealthCheckResponse_ServingStatus, HealthClient } from "../../../proto/gen/grpc/health/v1/health.ts";
import { ServerReflectionService } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import type { ServerReflectionResponse } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import { ErrorInfo, RetryInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Incident_Reason, Run_State, StepStatus, StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { GetRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { RunsClient } from "../../../proto/gen/sidestep/v1/runs.ts";
import { buildImage } from "../../../test/support/image.ts";
import { repositoryRoot } from "../../../test/support/program.ts";
import { contractOf, parseImage } from "../processor/contract.ts";
import type { StartResult } from "../processor/front.ts";
import type { FrontServer } from "../frontDoor.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "./testing.ts";

const workflow = "shop.v1.OrderWorkflow/Fulfil";
let contract = new Uint8Array();

beforeAll(async () => {
  const image = parseImage(await buildImage("examples/order/proto"));
  contract = image === undefined ? contract : new Uint8Array(contractOf(image, "shop.v1.OrderWorkflow"));
});

interface Answer {
  readonly error: ServiceError | null;
  readonly response: Buffer | undefined;
  readonly runId: string;
}

function call(
  client: Client,
  request: Uint8Array,
  options: { readonly headers?: Record<string, string>; readonly timeoutMs?: number } = {},
) {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
  const header = Promise.withResolvers<string>();
  const same = (bytes: Buffer): Buffer => bytes;
  const answer = Promise.withResolvers<Answer>();
  let runId = "";
  const deadline = Date.now() + (options.timeoutMs ?? 10_000);
  const unary = client.makeUnaryRequest(
    `/${workflow}`,
    same,
    same,
    Buffer.from(request),
    metadata,
    { deadline },
    (error, response) => answer.resolve({ error, response, runId }),
  );
  unary.on("metadata", (got) => {
    runId = String(got.get("sidestep-run-id")[0] ?? "");
    header.resolve(runId);
  });
  return { answer: answer.promise, header: header.promise, cancel: () => unary.cancel() };
}

function detailsOf(error: ServiceError | null): { readonly status: RpcStatus; readonly info: ErrorInfo } {
  const trailer = error?.metadata.get("grpc-status-details-bin")[0];
  const decoded = RpcStatus.decode(trailer as Buffer);
  const info = decoded.details.find(({ typeUrl }) => typeUrl.endsWith("/google.rpc.ErrorInfo"));
  return { status: decoded, info: ErrorInfo.decode(info?.value ?? new Uint8Array()) };
}

async function open(): Promise<{
  readonly front: ReturnType<typeof fakeFront>;
  readonly definitions: ReturnType<typeof fakeDefinitions>;
  readonly server: FrontServer;
  readonly client: Client;
  readonly address: string;
}> {
  const front = fakeFront();
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry(workflow)]);
  const server = await openTestServer(front, definitions);
  const address = `127.0.0.1:${server.port}`;
  const client = new Client(address, credentials.createInsecure());
  opened.push(server);
  clients.push(client);
  return { front, definitions, server, client, address };
}

const opened: FrontServer[] = [];
const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) client.close();
  for (const server of opened) await server[Symbol.asyncDispose]();
});

test("the bytes of the request reach the start unchanged, and those of the response the caller", async () => {
  const { front, client } = await open();
  front.end({ response: Uint8Array.of(9, 8, 7) });
  const { answer } = call(client, Uint8Array.of(1, 2, 255), {
    headers: { "idempotency-key": "k-1", "x-tenant": "t", "x-other": "o" },
  });
  expect(await answer).toMatchObject({ error: null, response: Buffer.of(9, 8, 7), runId: someRun });
  const [start] = front.starts;
  expect([...(start?.request ?? [])]).toEqual([1, 2, 255]);
  expect(start?.idempotencyKey).toBe("k-1");
  expect(Object.fromEntries(start?.metadata ?? [])).toEqual({ "x-tenant": "t" });
});

test("the run's id comes as a header while the run still goes on", async () => {
  const { front, client } = await open();
  const { answer, header } = call(client, new Uint8Array());
  expect(await header).toBe(someRun);
  front.end({});
  expect((await answer).error).toBeNull();
});

test.each([
  [Run_State.FAILED, status.FAILED_PRECONDITION, status.FAILED_PRECONDITION, "FAILED"],
  [Run_State.COMPENSATED, status.NOT_FOUND, status.NOT_FOUND, "COMPENSATED"],
  [Run_State.COMPENSATION_FAILED, status.INTERNAL, status.INTERNAL, "COMPENSATION_FAILED"],
  [Run_State.FAILED, status.DEADLINE_EXCEEDED, status.DEADLINE_EXCEEDED, "FAILED"],
  [Run_State.CANCELLED, status.UNKNOWN, status.CANCELLED, "CANCELLED"],
  [Run_State.TERMINATED, status.UNKNOWN, status.ABORTED, "TERMINATED"],
] as const)(
  "a run that ended as state %i with code %i is told as code %i, reason %s",
  async (state, stepCode, told, reason) => {
    const { front, client } = await open();
    const detail = { typeUrl: "type.googleapis.com/shop.v1.Why", value: Uint8Array.of(1) };
    front.end({ state, step: "charge", status: { code: stepCode, message: "no", details: [detail] } });
    const { error } = await call(client, new Uint8Array()).answer;
    expect(error?.code).toBe(told);
    expect(error?.details).toBe("no");
    const details = detailsOf(error);
    expect(details.status.details[0]).toMatchObject({ typeUrl: detail.typeUrl, value: Buffer.of(1) });
    expect(details.info).toMatchObject({ domain: "sidestep", reason, metadata: { run_id: someRun, step: "charge" } });
  },
);

test("details and a message that no trailer can carry are left out, and the rest arrives", async () => {
  const { front, client } = await open();
  const details = [{ typeUrl: "type.googleapis.com/shop.v1.Why", value: new Uint8Array(40_000) }];
  front.end({
    state: Run_State.FAILED,
    step: "charge",
    status: { code: status.NOT_FOUND, message: "é".repeat(20_000), details },
  });
  const { error } = await call(client, new Uint8Array()).answer;
  expect([error?.code, error?.details.slice(0, 3)]).toEqual([status.NOT_FOUND, "ééé"]);
  expect(detailsOf(error).info).toMatchObject({
    reason: "FAILED",
    metadata: { step: "charge", details_left_out: "1" },
  });
});

test.each<readonly [StartResult, number, string]>([
  [{ kind: "invalid", message: "no message" }, status.INVALID_ARGUMENT, "INVALID_REQUEST"],
  [{ kind: "tooLarge", sizeBytes: 2, limitBytes: 1 }, status.RESOURCE_EXHAUSTED, "TOO_LARGE"],
  [{ kind: "conflict", runId: someRun }, status.ALREADY_EXISTS, "KEY_HELD"],
  [{ kind: "exhausted", retryAfterMs: 1500 }, status.RESOURCE_EXHAUSTED, "BACKLOG"],
  [{ kind: "unavailable", message: "no log" }, status.UNAVAILABLE, "LOG_UNAVAILABLE"],
])("a refused start %o is told as code %i, reason %s, without a run's id", async (result, code, reason) => {
  const { front, client } = await open();
  front.startResult = () => result;
  const { error, runId } = await call(client, new Uint8Array()).answer;
  expect([error?.code, detailsOf(error).info.reason, runId]).toEqual([code, reason, ""]);
  const retries = detailsOf(error).status.details.filter(({ typeUrl }) => typeUrl.endsWith("RetryInfo"));
  const expected = result.kind === "exhausted" ? [{ seconds: 1n, nanos: 5e8 }] : [];
  expect(retries.map(({ value }) => RetryInfo.decode(value).retryDelay)).toMatchObject(expected);
});

test("a request over the limit is refused before the start, one at the limit is not", async () => {
  const { front, client } = await open();
  front.end({});
  const { error } = await call(client, new Uint8Array(1001)).answer;
  expect([error?.code, detailsOf(error).info.reason]).toEqual([status.RESOURCE_EXHAUSTED, "TOO_LARGE"]);
  expect(front.starts).toHaveLength(0);
  expect((await call(client, new Uint8Array(1000)).answer).error).toBeNull();
});

test("a start that does not become durable is UNAVAILABLE before the caller's deadline", async () => {
  const { front, client } = await open();
  front.startResult = (_request, signal) =>
    new Promise((resolve) =>
      signal.addEventListener("abort", () => resolve({ kind: "unavailable", message: "NATS is away" })),
    );
  const { error } = await call(client, new Uint8Array(), { timeoutMs: 1000 }).answer;
  expect(error?.code).toBe(status.UNAVAILABLE);
});

test("a workflow can be called as soon as it is deployed, and no more once it is retired", async () => {
  const { front, definitions, client } = await open();
  front.end({});
  definitions.set([makeEntry(workflow, 0)]);
  expect((await call(client, new Uint8Array()).answer).error?.code).toBe(status.UNIMPLEMENTED);
  definitions.set([makeEntry(workflow, 1)]);
  expect((await call(client, new Uint8Array()).answer).error).toBeNull();
});

test("a drain sends waiting callers away with UNAVAILABLE and the run's id", async () => {
  const { front, server, client } = await open();
  const { answer } = call(client, new Uint8Array());
  await front.waited;
  await server.drain();
  const { error, runId } = await answer;
  expect([error?.code, detailsOf(error).info.reason, runId]).toEqual([status.UNAVAILABLE, "SHUTTING_DOWN", someRun]);
});

test("a drain answers who waits for a run with the run as it stands", async () => {
  const { front, server, address } = await open();
  front.run = { state: Run_State.RUNNING };
  const client = new RunsClient(address, credentials.createInsecure());
  clients.push(client);
  const answer = new Promise((resolve) =>
    client.wait({ runId: someRun, timeout: undefined }, (error, response) => resolve({ error, response })),
  );
  await front.waited;
  await server.drain();
  await server[Symbol.asyncDispose]();
  expect(await answer).toMatchObject({
    error: null,
    response: { done: false, run: { runId: someRun, state: Run_State.RUNNING } },
  });
});

test("a drain does not wait for those who watch health or hold a reflection stream", async () => {
  const { server, client, address } = await open();
  const health = new HealthClient(address, credentials.createInsecure());
  clients.push(health);
  const watching = health.watch({ service: "" });
  const { path: method, requestSerialize, responseDeserialize } = ServerReflectionService.serverReflectionInfo;
  const reflecting = client.makeBidiStreamRequest(method, requestSerialize, responseDeserialize);
  const ended = [watching, reflecting].map(
    (stream) => new Promise((resolve) => stream.on("end", () => resolve("ended"))),
  );
  watching.on("data", () => reflecting.write({ host: "", messageRequest: { $case: "listServices", value: "" } }));
  await new Promise((resolve) => reflecting.once("data", resolve));
  await server.drain();
  expect(await Promise.all(ended)).toEqual(["ended", "ended"]);
});

test("health follows the server and knows the services of deployed workflows", async () => {
  const { server, address } = await open();
  const client = new HealthClient(address, credentials.createInsecure());
  clients.push(client);
  const seen: number[] = [];
  const serving = Promise.withResolvers<void>();
  const watching = client.watch({ service: "" });
  watching.on("error", () => undefined);
  watching.on("data", (answer: { readonly status: number }) => {
    seen.push(answer.status);
    if (answer.status === HealthCheckResponse_ServingStatus.SERVING) serving.resolve();
    else server.setServing(true);
  });
  await serving.promise;
  watching.cancel();
  expect(seen).toEqual([HealthCheckResponse_ServingStatus.NOT_SERVING, HealthCheckResponse_ServingStatus.SERVING]);
  const list = await new Promise((resolve) =>
    client.list({}, (_error, answer) => resolve(Object.keys(answer.statuses))),
  );
  expect(list).toContain("shop.v1.OrderWorkflow");
});

test("buf curl lists the services, calls a workflow over reflection, and sees nothing of our options", async () => {
  const { front, address } = await open();
  front.end({ response: Buffer.from("0a03742d31", "hex") });
  const curl = async (...args: readonly string[]): Promise<string> => {
    const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
    return (await promisify(execFile)(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args])).stdout;
  };
  const services = (await curl("--list-services", `http://${address}`)).trim().split("\n");
  expect(services).toEqual([
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "shop.v1.OrderWorkflow",
    "sidestep.v1.Audit",
    "sidestep.v1.Definitions",
    "sidestep.v1.Runs",
    "sidestep.v1.Services",
    "sidestep.v1.Traces",
  ]);
  const answer = await curl("-d", '{"orderId":"o-1"}', `http://${address}/${workflow}`);
  expect(JSON.parse(answer)).toEqual({ tracking: "t-1" });
  expect(Buffer.from(front.starts[0]?.request ?? []).toString("hex")).toBe("0a036f2d31");
  expect(JSON.parse(await curl(`http://${address}/sidestep.v1.Definitions/List`))).toMatchObject({
    workflows: [{ workflow }],
  });
  expect(Buffer.from(contract).includes("not in stock")).toBe(false);
  expect(Buffer.from(contract).includes("sidestep/v1/workflow.proto")).toBe(false);
});

test.each(["v1", "v1alpha"])("reflection %s answers in order, and says what it does not know", async (version) => {
  const { client } = await open();
  const { requestSerialize, responseDeserialize } = ServerReflectionService.serverReflectionInfo;
  const method = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const stream = client.makeBidiStreamRequest(method, requestSerialize, responseDeserialize);
  const answers: ServerReflectionResponse[] = [];
  const ended = new Promise<void>((resolve) => void stream.on("end", () => resolve()));
  stream.on("data", (answer: ServerReflectionResponse) => void answers.push(answer));
  for (const messageRequest of [
    { $case: "fileContainingSymbol", value: "shop.v1.OrderWorkflow" },
    { $case: "fileByFilename", value: "nowhere.proto" },
    { $case: "fileByFilename", value: "payment/v1/payment.proto" },
  ] as const) {
    stream.write({ host: "", messageRequest });
  }
  stream.end();
  await ended;
  expect(answers.map(({ messageResponse }) => messageResponse?.$case)).toEqual([
    "fileDescriptorResponse",
    "errorResponse",
    "fileDescriptorResponse",
  ]);
});

test("Runs.Get says when a step waits for a sidecar that isn't there, or for one that holds its calls back", async () => {
  const front = fakeFront();
  front.run = {
    steps: ["a.B/C", "a.D/E", "a.D/F"].map((method) =>
      StepStatus.fromPartial({ path: "reserve", state: StepStatus_State.RUNNING, method }),
    ),
  };
  const server = await openTestServer(front, fakeDefinitions(contract), {
    catalog: {
      sidecars: () => [],
      isServed: (service) => service !== "a.B",
      isBroken: (method) => method === "a.D/E",
      driftOf: () => undefined,
      offersOf: () => undefined,
    },
  });
  opened.push(server);
  const client = new RunsClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
  clients.push(client);
  const got = await new Promise<GetRunResponse>((resolve) =>
    client.get({ runId: someRun }, (_error, answer) => resolve(answer)),
  );
  expect(got.run?.steps.map(({ noSidecar, broken }) => [noSidecar, broken])).toEqual([
    [true, false],
    [false, true],
    [false, false],
  ]);
});

test("Retry without a step takes the only incident, and asks for the step when there are several", async () => {
  const { front, address } = await open();
  const client = new RunsClient(address, credentials.createInsecure());
  clients.push(client);
  const retry = (step: string): Promise<ServiceError | null> =>
    new Promise((resolve) => client.retry({ runId: someRun, step, reason: "r" }, (error) => resolve(error)));
  const incident = (step: string) =>
    ({
      step,
      compensation: step === "b",
      reason: Incident_Reason.EXHAUSTED,
      error: undefined,
      since: undefined,
      attempts: 1,
    }) as const;
  front.run = { incidents: [] };
  expect(detailsOf(await retry("")).info.reason).toBe("NO_INCIDENT");
  front.run = { incidents: [incident("a"), incident("b")] };
  expect(detailsOf(await retry("")).info.reason).toBe("SEVERAL_INCIDENTS");
  expect(await retry("b")).toBeNull();
  front.run = { incidents: [incident("a")] };
  expect(await retry("")).toBeNull();
  expect(front.requests).toMatchObject([
    { kind: "retry", event: { step: "b", compensation: true, reason: "r" } },
    { kind: "retry", event: { step: "a", compensation: false } },
  ]);
});

test("a malformed run id is INVALID_ARGUMENT, an unknown one NOT_FOUND", async () => {
  const { address } = await open();
  const client = new RunsClient(address, credentials.createInsecure());
  clients.push(client);
  const get = (runId: string): Promise<ServiceError | null> =>
    new Promise((resolve) => client.get({ runId }, (error) => resolve(error)));
  expect((await get("x"))?.code).toBe(status.INVALID_ARGUMENT);
  const unknown = await get(someRun);
  expect([unknown?.code, detailsOf(unknown).info.reason]).toEqual([status.NOT_FOUND, "RUN_NOT_FOUND"]);
});
