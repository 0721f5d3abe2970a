import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { nodeFlags } from "../bin/nodeFlags.mjs";
import { fulfil } from "../examples/order/demo/orders.ts";
import type { Order } from "../examples/order/demo/orders.ts";
import { isWhole } from "../examples/order/demo/report.ts";
import { orchestratorSettings } from "../orchestrator/src/config.ts";
import { readConfiguration } from "../runtime/src/configuration.ts";
import type { SettingTable } from "../runtime/src/setting.ts";
import { ensureNatsServer } from "../bin/natsServer.mjs";
import { sidecarSettings } from "../sidecar/src/config.ts";
import { freePort } from "../test/support/freePort.ts";
import { startNats } from "../test/support/nats.ts";
import { startOtlpReceiver } from "../test/support/otlpReceiver.ts";
import { repositoryRoot, runProgram, startProgram } from "../test/support/program.ts";
import type { Program } from "../test/support/program.ts";
import { pythonWithGrpc } from "../test/support/python.ts";

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
}

const folder = path.join(repositoryRoot, "deploy");
const compose = parse(readFileSync(path.join(folder, "compose.yaml"), "utf8"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const dockerfile = readFileSync(path.join(folder, "Dockerfile"), "utf8");

const cli = "/app/sidestep.js";

/** The bundles of our image, and what they can be told. */
const programs: Readonly<Record<string, SettingTable>> = {
  "/app/orchestrator.js": orchestratorSettings,
  "/app/sidecar.js": sidecarSettings,
  // Its flags are commander's; that they are known shows when it runs.
  [cli]: {},
};
const ours = services.filter(([, { build }]) => build?.target === "sidestep");
const example = services.filter(([, { build }]) => build?.target.startsWith("order-") === true);

test("it brings up NATS, Jaeger, the orchestrator, and the three services with a sidecar each", () => {
  expect(services.map(([name]) => name).toSorted()).toEqual([
    "deploy",
    "inventory",
    "inventory-sidecar",
    "jaeger",
    "nats",
    "orchestrator",
    "payment",
    "payment-sidecar",
    "shipping",
    "shipping-sidecar",
  ]);
  expect(compose.services["jaeger"]?.image).toBe("jaegertracing/jaeger:2.20.0");
  expect(compose.services["nats"]?.image).toMatch(/^nats:2\.15\./);
});

test("what a service names is there: images of a version, build targets, files, volumes, other services", () => {
  const targets = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map((it) => it[1]);
  const isThere = (volume: string): boolean =>
    volume.startsWith(".") ? existsSync(path.join(folder, volume)) : Object.hasOwn(compose.volumes, volume);
  for (const [name, service] of services) {
    expect(service.image, name).toMatch(/:(?!latest$)\S+$/);
    expect([...targets, undefined], name).toContain(service.build?.target);
    const mode = service.network_mode?.replace(/^service:/, "");
    const others = [...Object.keys(service.depends_on ?? {}), ...(mode === undefined ? [] : [mode])];
    expect(Object.keys(compose.services), name).toEqual(expect.arrayContaining(others));
    const volumes = (service.volumes ?? []).map((it) => it.split(":")[0] ?? "");
    expect(
      volumes.filter((it) => !isThere(it)),
      name,
    ).toEqual([]);
  }
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = ""]) =>
    sources.split(" "),
  );
  expect(copied.filter((it) => !existsSync(path.join(repositoryRoot, it)))).toEqual([]);
});

test.each(ours)("every flag and variable of %s is one that its program knows, with a value it takes", (_, service) => {
  const [file = "", ...args] = service.command ?? [];
  const settings = programs[file] ?? {};
  const environment = service.environment ?? {};
  expect(Object.keys(programs)).toContain(file);
  const reading = readConfiguration(settings, { args: file === cli ? [] : args, environment, readFile: () => "" });
  expect(reading.kind === "problems" ? reading.problems : []).toEqual([]);
  const known = Object.values(settings).map(({ env }) => env);
  expect(known).toEqual(expect.arrayContaining(Object.keys(environment)));
});

test.each(example)("every variable of %s is one that it or its stock instrumentation reads", async (name, service) => {
  const read = (file: string): string => readFileSync(path.join(repositoryRoot, file), "utf8");
  const source = read(`examples/order/${name}/server.${name === "payment" ? "py" : "js"}`);
  const sdk = [
    "sdk-node/dist/utils.mjs",
    "sdk-node/dist/create-from-env.mjs",
    "resources/dist/detectors/EnvDetector.mjs",
  ];
  const exporter = "otlp-exporter-base/dist/platform/node/configuration/otlp-node-http-env-configuration.mjs";
  const instrumentation = [...sdk, exporter].map((it) => read(`node_modules/@opentelemetry/${it}`)).join("\n");
  for (const variable of Object.keys(service.environment ?? {})) {
    expect(`${source}\n${instrumentation}`.includes(variable), `${variable} is read by nobody`).toBe(true);
  }
});

test("nats-server takes its configuration", async () => {
  const checked = await runProgram({
    name: "nats-server",
    command: await ensureNatsServer(),
    args: ["-t", "-c", path.join(folder, "nats.conf")],
  });
  expect(checked.lines.join("\n")).toMatch(/configuration file .* is valid/);
});

let place: string;
const running = new AsyncDisposableStack();

beforeAll(async () => {
  place = await mkdtemp(path.join(os.tmpdir(), "sidestep-compose-"));
  await buildImages(place);
});

afterAll(async () => {
  await running.disposeAsync();
  await rm(place, { recursive: true, force: true, maxRetries: 3 });
});

test("the sidecar's bundle is one file of at most 0.9 MB, and run by name it has its flags", () => {
  const file = path.join(place, "sidecar.js");
  expect(statSync(file).size).toBeLessThanOrEqual(900_000);
  expect(readFileSync(file, "utf8").split("\n")[0]).toBe(`#!/usr/bin/env -S node ${nodeFlags.sidecar.join(" ")}`);
});

test("the commands and environments of our services work together, as processes of this machine", async () => {
  const nats = running.use(await startNats());
  const receiver = running.use(await startOtlpReceiver());
  const address = `127.0.0.1:${await freePort()}`;
  // What containers have and one machine has not: names of hosts, ports of their own, /data and /app.
  const ports = { "50051": await freePort(), "50052": await freePort(), "50053": await freePort() };
  const here = (text: string): string =>
    text
      .replace("nats://nats:4222", nats.url)
      .replace("http://jaeger:4318", receiver.httpUrl)
      .replace(/^(0\.0\.0\.0|orchestrator):7420$/, address)
      .replace(/^0\.0\.0\.0$/, "127.0.0.1")
      .replace(/^7421$/, "0")
      .replace(
        /^(localhost:)?(50051|50052|50053)$/,
        (_, host: string | undefined, port: keyof typeof ports) => `${host ?? ""}${ports[port]}`,
      )
      .replace(/^\/(data|app)\//, `${place}/`);
  const start = async (
    name: string,
    readyLine?: RegExp,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Program> => {
    const service = compose.services[name];
    const environment = Object.entries(service?.environment ?? {}).map(([key, value]) => [key, here(value)]);
    const words = (service?.command ?? []).map(here);
    const [command = "", ...args] = [...entrypointOf(service?.build?.target), ...words];
    return running.use(
      await startProgram({
        name,
        command,
        args,
        cwd: service?.build?.target === "sidestep" ? place : path.join(repositoryRoot, "examples/order"),
        env: { ...Object.fromEntries(environment), OTEL_BSP_SCHEDULE_DELAY: "100", ...more },
        ...(readyLine === undefined ? {} : { readyLine }),
      }),
    );
  };
  const orchestrator = await start("orchestrator", /"msg":"ready"/);
  expect(await (await start("deploy")).ended).toEqual({ code: 0, signal: undefined });
  await Promise.all(example.map(([name]) => start(name, /listens on/)));
  const sidecars = ["inventory-sidecar", "payment-sidecar", "shipping-sidecar"];
  await Promise.all(sidecars.map((name) => start(name, /"msg":"sidecar ready"/)));

  const isTraced = async (runId: string): Promise<void> => {
    await receiver.waitFor((spans) => {
      const own = spans.filter((it) => it.traceId === runId);
      const names = new Set(own.map((it) => it.resource["service.name"]));
      return isWhole(spans, runId) && ["inventory", ...sidecars].every((name) => names.has(name));
    });
  };
  const first = await fulfil(address, makeOrder("compose-1"));
  expect(first).toMatchObject({ kind: "answered", response: { tracking: expect.stringContaining("compose-1") } });
  await isTraced(first.runId);

  // The other protocol, whose exporter loads grpc-js in a way of its own: the bundle has all of it.
  await orchestrator.stop();
  const grpc = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_ENDPOINT: receiver.grpcUrl };
  await start("orchestrator", /"msg":"ready"/, grpc);
  const second = await fulfil(address, makeOrder("compose-2"));
  expect(second.kind).toBe("answered");
  await isTraced(second.runId);
});

/** Of the images, for this machine. Ours are run by their names. */
function entrypointOf(image: string | undefined): readonly string[] {
  if (image === "order-node") return [process.execPath];
  return image === "order-python" ? [pythonWithGrpc()] : [];
}

/** What the Dockerfile puts into /app. */
async function buildImages(into: string): Promise<void> {
  const node = { command: process.execPath, args: ["scripts/build.ts", into] };
  const buf = {
    command: path.join(repositoryRoot, "node_modules/.bin/buf"),
    args: ["build", "-o", path.join(into, "order.binpb")],
  };
  for (const step of [node, buf]) {
    const built = await runProgram({ name: step.args.join(" "), ...step });
    if (built.code !== 0) throw new Error(`${step.args.join(" ")} failed:\n${built.lines.join("\n")}`);
  }
}

function makeOrder(id: string): Order {
  const items = [{ sku: "mug", quantity: 1 }];
  return { order_id: id, customer_id: "c1", items, total: { currency: "EUR", units: 240 }, address: "1 Main Street" };
}
