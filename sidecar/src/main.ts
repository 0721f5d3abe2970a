import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import os from "node:os";
import { toNames } from "../../proto/wire/subjects.ts";
import { openAdminServer } from "../../runtime/src/adminServer.ts";
import type { AdminOptions, AdminServer } from "../../runtime/src/adminServer.ts";
import { helpText, readConfiguration } from "../../runtime/src/configuration.ts";
import { errorText, logger } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import { openMetrics } from "../../runtime/src/metrics.ts";
import { openNats } from "../../runtime/src/natsConnection.ts";
import { atMost, shutdownSignal } from "../../runtime/src/shutdown.ts";
import { version } from "../../runtime/src/version.ts";
import { breakerBounds, contradictions, parseWanted, sidecarSettings, targetsOf } from "./config.ts";
import type { SidecarSettings } from "./config.ts";
import { Slots } from "./core/slots.ts";
import { servicesOfSet } from "./core/descriptors.ts";
import type { CallClientName } from "./grpc/callClient.ts";
import type { OpenDoors } from "./grpc/serviceDoors.ts";
import { ServiceWatch } from "./grpc/serviceWatch.ts";
import { openOwnDoors } from "./grpc/unaryClient.ts";
import { openMeasures } from "./measures.ts";
import { openPassage } from "./passage.ts";
import type { Passage, PassageOptions } from "./passage.ts";
import { toSecrets } from "./secrets.ts";
import { Sidecar } from "./sidecar.ts";

const adminPortFirst = 7_430;
const adminPortsTried = 200;
/** After the drain: metrics and connections are closed, not waited for. */
const closingMs = 2_000;

const usage = "sidestep sidecar --service <address> [settings]";
const about =
  "Takes tasks from NATS to the gRPC services beside it, and their outcomes back. The services need not know.";

const reading = readConfiguration(sidecarSettings, {
  args: process.argv.slice(2),
  environment: process.env,
  readFile: (file) => readFileSync(file, "utf8"),
});
switch (reading.kind) {
  case "help":
    process.stdout.write(helpText(usage, about, sidecarSettings));
    break;
  case "problems":
    refuse(reading.problems);
    break;
  case "settings": {
    const problems = contradictions(reading.settings);
    if (problems.length > 0) refuse(problems);
    else await run(reading.settings);
  }
}

function refuse(problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stderr.write("sidestep sidecar --help shows all settings.\n");
  process.exitCode = 2;
}

async function run(settings: SidecarSettings): Promise<void> {
  const log = logger("sidecar", { level: settings.logLevel, format: settings.logFormat });
  const signal = shutdownSignal(process, log, settings.drainTimeout + 2 * closingMs);
  try {
    process.exitCode = await serve(settings, log, signal);
  } catch (error) {
    if (!signal.aborted) {
      log.error("the sidecar can't go on", { error: errorText(error) });
      process.exitCode = 1;
    }
  }
  // Whatever still holds a handle is done with.
  process.exit();
}

/** Works until `signal` aborts and everything in hands is done; returns the exit code. */
async function serve(settings: SidecarSettings, log: Log, signal: AbortSignal): Promise<number> {
  const host = os.hostname();
  const id = `${host.replaceAll(/[^A-Za-z0-9-]/g, "-")}-${process.pid}-${randomBytes(4).toString("hex")}`;
  const files = readFiles(settings);
  const metrics = openMetrics(
    { "service.name": settings.name, "service.instance.id": id, "service.version": version },
    version,
  );
  const measures = openMeasures(metrics, log);
  let sidecar: Sidecar | undefined;
  const admin = await openAdmin(settings, metrics.scrape, signal);
  log.info("admin server listens", { host: settings.adminHost, port: admin.port });
  const openDoors = await doorsBy(settings.grpcClient);
  const watches = targetsOf(settings).map((target) => {
    const wanted = settings.expose
      .flatMap((one) => parseWanted(one) ?? [])
      .filter((one) => one.target === undefined || one.target === target.text);
    return new ServiceWatch({
      target,
      tls: files.tls,
      openDoors,
      wanted: wanted.map((one) => one.service),
      described: files.described,
      onChange: () => sidecar?.update(),
      log,
    });
  });
  const nats = await openNats(settings, { name: settings.name, log, signal });
  const slots = new Slots(settings.concurrency);
  sidecar = new Sidecar({
    nats,
    names: toNames(settings.prefix),
    facts: { id, name: settings.name, host, version },
    slots,
    breaker: breakerBounds(settings),
    secrets: toSecrets(settings.secrets),
    measures,
    log,
  });
  const { worker } = sidecar;
  measures.watch({
    running: () => slots.taken(),
    concurrency: settings.concurrency,
    isDraining: () => sidecar?.isDraining() ?? false,
    isConnected: () => nats.isConnected(),
    reconnects: () => nats.reconnects(),
    serving: () => sidecar?.serving() ?? [],
    broken: () => sidecar?.broken() ?? [],
  });
  const passage = await passageBeside(sidecar, { settings, nats, slots, measures, log });
  for (const watch of watches) sidecar.add(watch);
  log.info("sidecar ready", {
    id,
    services: targetsOf(settings).map((target) => target.text),
    concurrency: settings.concurrency,
  });
  await aborted(signal);
  const [isDone] = await Promise.all([sidecar.drain(settings.drainTimeout), passage.drain(settings.drainTimeout)]);
  await passage[Symbol.asyncDispose]();
  sidecar[Symbol.dispose]();
  log.info(isDone ? "drained" : "calls in flight were left behind; their tasks are delivered again", {
    left: worker.running(),
  });
  await atMost(
    closingMs,
    Promise.allSettled([nats[Symbol.asyncDispose](), admin[Symbol.asyncDispose](), metrics[Symbol.asyncDispose]()]),
  );
  return isDone ? 0 : 1;
}

/** grpc-js is loaded by whoever asks for it. */
async function doorsBy(client: CallClientName): Promise<OpenDoors> {
  if (client === "own") return openOwnDoors;
  const { openGrpcJsDoors } = await import("./grpc/grpcJsClient.ts");
  return openGrpcJsDoors;
}

function openAdmin(
  { adminHost, adminPort }: SidecarSettings,
  metrics: AdminOptions["metrics"],
  signal: AbortSignal,
): Promise<AdminServer> {
  return openAdminServer({
    host: adminHost,
    port: adminPort ?? adminPortFirst,
    portsTried: adminPort === undefined ? adminPortsTried : 1,
    readyz: () => (signal.aborted ? { ok: false, detail: "shutting down" } : { ok: true }),
    metrics,
  });
}

function passageBeside(
  sidecar: Sidecar,
  {
    measures,
    settings,
    ...given
  }: Pick<PassageOptions, "nats" | "slots" | "log"> & {
    readonly settings: SidecarSettings;
    readonly measures: ReturnType<typeof openMeasures>;
  },
): Promise<Passage> {
  return openPassage({
    ...given,
    settings,
    names: toNames(settings.prefix),
    found: () => sidecar.serving().map(({ service }) => service),
    provider: (service) => sidecar.provider(service),
    onEnded: (...ended) => measures.passed(...ended),
  });
}

function readFiles(settings: SidecarSettings) {
  const { tlsCa, tlsCert, tlsKey, descriptorSet } = settings;
  const read = (file: string | undefined, flag: string): Buffer | undefined => {
    try {
      return file === undefined ? undefined : readFileSync(file);
    } catch (error) {
      throw new Error(`--${flag} names a file that can't be read: ${errorText(error)}`, { cause: error });
    }
  };
  const tls = { ca: read(tlsCa, "tls-ca"), cert: read(tlsCert, "tls-cert"), key: read(tlsKey, "tls-key") };
  const described = read(descriptorSet, "descriptor-set");
  return {
    tls: tlsCa === undefined && tlsCert === undefined ? undefined : tls,
    described: described === undefined ? undefined : servicesOfSet(described),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
