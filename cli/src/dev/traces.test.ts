import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter as RpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as HttpExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startOtlpReceiver } from "../../../test/support/otlpReceiver.ts";
import type { OtlpReceiver } from "../../../test/support/otlpReceiver.ts";
import { runHere } from "../testing.ts";
import { openTestProject } from "./testing.ts";
import type { RunningDev, TestProject } from "./testing.ts";

let collector: OtlpReceiver;
let project: TestProject;
let dev: RunningDev;

beforeAll(async () => {
  collector = await startOtlpReceiver();
  project = await openTestProject({ "sidestep.yaml": "stubs: [greeting.v1.GreetingService]\n" });
  dev = await project.dev(["--otlp", collector.httpUrl]);
}, 90_000);

afterAll(async () => {
  await project[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

/** What the JSON answers have in them, as far as the tests look. */
interface Answer {
  readonly run: { readonly traceId: string };
  readonly traceUrl: string;
  readonly spans?: readonly JsonSpan[];
  readonly traces: readonly object[];
}

interface JsonSpan {
  readonly name: string;
  readonly service: string;
  readonly parentSpanId?: string;
}

async function ask(method: string, request: object): Promise<{ readonly status: number; readonly body: Answer }> {
  const response = await fetch(`http://${dev.address}/sidestep.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

async function traceOf(traceId: string): Promise<readonly JsonSpan[]> {
  const { body } = await ask("Traces/Get", { traceId });
  return body.spans ?? [];
}

async function run(id: string): Promise<{ readonly runId: string; readonly traceId: string; readonly url: string }> {
  const given = ["hello.v1.HelloWorkflow/Hello", "--address", dev.address, "-o", "json"];
  const request = JSON.stringify({ request_id: id, name: "Ada" });
  const { stdout, stderr } = await runHere(["run", "start", ...given, "-d", request]);
  const runId = /[0-9a-f]{32}/.exec(stdout)?.[0] ?? stderr;
  const { body } = await ask("Runs/Get", { runId });
  return { runId, traceId: body.run.traceId, url: body.traceUrl };
}

test("a run's trace is kept, from its rpc to each attempt, and the console's page of it is where the run says", async () => {
  const { runId, traceId, url } = await run("kept");
  expect(url).toBe(`/console/traces/${traceId}`);
  const described = await runHere(["run", "describe", runId, "--address", dev.address]);
  expect(described.stdout).toContain(`trace     ${traceId}  ${dev.address}${url}\n`);
  await expect.poll(async () => (await traceOf(traceId)).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
  const spans = await traceOf(traceId);
  const root = spans.find(({ parentSpanId = "" }) => parentSpanId === "");
  expect(root).toMatchObject({ service: "sidestep-orchestrator", kind: "SERVER" });
  expect(spans.some(({ service }) => service === "stubs-sidecar")).toBe(true);
  const { body } = await ask("Traces/List", {});
  expect(body.traces[0]).toMatchObject({ traceId, service: "sidestep-orchestrator", spans: spans.length });
  expect((await fetch(`http://${dev.address}${url}`)).status).toBe(200);
  await collector.waitFor((all) => all.some((one) => one.traceId === traceId), { timeoutMs: 15_000 });
});

test.each(["http/protobuf", "grpc"] as const)(
  "what a service exports over %s is kept beside it and passed on",
  async (protocol) => {
    const { traceId } = await run(protocol);
    const url = `http://${dev.address}`;
    const exporter = protocol === "grpc" ? new RpcExporter({ url }) : new HttpExporter({ url: `${url}/v1/traces` });
    await exported(exporter, spanOf(traceId, `from ${protocol}`));
    const spans = await traceOf(traceId);
    expect(spans.find(({ name }) => name === `from ${protocol}`)).toMatchObject({
      service: "greeter",
      kind: "SERVER",
      failed: true,
      message: "no luck",
      attributes: { rpc: "Greet", tries: "2" },
      events: [{ name: "retried", attributes: { why: "busy" } }],
    });
    await collector.waitFor((all) => all.some(({ name }) => name === `from ${protocol}`));
  },
);

test("what is no export is refused", async () => {
  const send = (headers: Record<string, string>, body: string): Promise<Response> =>
    fetch(`http://${dev.address}/v1/traces`, { method: "POST", headers, body });
  expect((await send({ "content-type": "application/json" }, "{}")).status).toBe(415);
  expect((await send({ "content-type": "application/x-protobuf" }, "no")).status).toBe(400);
  expect((await send({ "content-type": "application/x-protobuf", "content-encoding": "gzip" }, "no")).status).toBe(400);
  expect((await ask("Traces/Get", { traceId: "0".repeat(32) })).status).toBe(404);
});

function exported(exporter: SpanExporter, span: ReadableSpan): Promise<void> {
  return new Promise((resolve, reject) => {
    exporter.export([span], ({ error }) => (error === undefined ? resolve() : reject(error)));
  });
}

function spanOf(traceId: string, name: string): ReadableSpan {
  const now = Math.floor(Date.now() / 1000);
  return {
    name,
    kind: SpanKind.SERVER,
    spanContext: () => ({ traceId, spanId: "00f067aa0ba902b7", traceFlags: TraceFlags.SAMPLED }),
    startTime: [now, 1_000],
    endTime: [now, 2_000],
    duration: [0, 1_000],
    status: { code: SpanStatusCode.ERROR, message: "no luck" },
    attributes: { rpc: "Greet", tries: 2 },
    links: [],
    events: [{ name: "retried", time: [now, 1_500], attributes: { why: "busy" } }],
    ended: true,
    resource: resourceFromAttributes({ "service.name": "greeter" }),
    instrumentationScope: { name: "test" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
