import { randomBytes } from "node:crypto";
import os from "node:os";
import { toNames } from "../../proto/wire/subjects.ts";
import type { Names } from "../../proto/wire/subjects.ts";
import { openAdminServer } from "../../runtime/src/adminServer.ts";
import type { AdminServer, AdminOptions } from "../../runtime/src/adminServer.ts";
import { errorText } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import { openMetrics } from "../../runtime/src/metrics.ts";
import type { Metrics } from "../../runtime/src/metrics.ts";
import { openNats } from "../../runtime/src/natsConnection.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { StoreRoom } from "../../runtime/src/storeRoom.ts";
import { atMost } from "../../runtime/src/shutdown.ts";
import { version } from "../../runtime/src/version.ts";
import { defaultCompileLimits } from "./compile/limits.ts";
import type { OrchestratorSettings } from "./config.ts";
import { findConsole, openFrontServer } from "./frontDoor.ts";
import type { FrontServer, FrontServerOptions } from "./frontDoor.ts";
import { toBulkAct } from "./grpc/bulkAction.ts";
import { openMeasures } from "./measures.ts";
import { attach } from "./nats/attach.ts";
import type { Attached, AttachOptions } from "./nats/attach.ts";
import { openCatalogView } from "./nats/catalogView.ts";
import type { CatalogView } from "./nats/catalogView.ts";
import { openDefinitionStore } from "./nats/definitions.ts";
import { openKeptSweep } from "./nats/keptSweep.ts";
import { serveRelays } from "./nats/relays.ts";
import { tellSidecar } from "./nats/sidecarOrders.ts";
import { readTaskQueues } from "./nats/taskQueues.ts";
import { openTaskSweep } from "./nats/taskSweep.ts";
import { toSampler } from "./otlp/sampler.ts";
import { toBulkStore } from "./processor/bulks.ts";
import type { BulkStore } from "./processor/bulks.ts";
import { openBulkWork } from "./processor/bulkWork.ts";
import { checkDeploy as checkedDeploy } from "./processor/deployCheck.ts";
import type { DeployCheckGround } from "./processor/deployCheck.ts";
import { openDrift } from "./processor/drift.ts";
import type { Drift } from "./processor/drift.ts";
import { openLiveContracts } from "./processor/liveContracts.ts";
import { toCredentials } from "./processor/credentials.ts";
import { DefinitionStoreError } from "./processor/definitionStore.ts";
import type { DefinitionStore } from "./processor/definitionStore.ts";
import { openDefinitions } from "./processor/definitions.ts";
import type { Definitions } from "./processor/definitions.ts";
import { partitionCount } from "../../proto/wire/layout.ts";
import type { Bounds } from "./processor/ownership.ts";
import { openProcessor } from "./processor/processor.ts";
import type { TurnObserver } from "./processor/ports.ts";
import type { Ports, Processor, ProcessorOptions } from "./processor/processor.ts";
import { detailsOfStep } from "./projection/stepDetails.ts";
import { toTraceStart } from "./projection/traceContext.ts";
import { allObservers } from "./observers.ts";
import { toRunFiles } from "./runFiles.ts";
import { toRunLog } from "./runLog.ts";
import { openRunMeasures } from "./runMeasures.ts";
import { openRandomPool } from "./randomPool.ts";
import { openRows } from "./rows.ts";
import type { Rows } from "./rows.ts";
import { openSchedules } from "./schedules.ts";
import { secretsOf } from "./secretFile.ts";
import { openTriggers } from "./triggers.ts";
import { openTokens } from "./tokens.ts";
import { openTracing } from "./tracing.ts";
import { openWebhook } from "./webhook.ts";

const adminPortFirst = 7_421;
const adminPortsTried = 200;
/** Connections and metrics are closed, not waited for. */
const closingMs = 2_000;
/** Spans that do not go out by then are told again from the log. */
const settlingMs = 1_000;
/** Whoever works on this one removes acknowledged tasks, and carries out actions on many runs. */
const sweepingPartition = 0;
/** Runs in flight that a plan or a deploy looks into. */
const plannedRunsMax = 2_000;
/** Streams are made in less; longer means that somebody should know. */
const slowAttachMs = 3_000;

/** Works until `signal` aborts, and hands over what it owns; returns the exit code. Throws what a person has to mend. */
export async function serve(settings: OrchestratorSettings, log: Log, signal: AbortSignal): Promise<number> {
  const id = `${os.hostname().replaceAll(/[^A-Za-z0-9-]/g, "-")}-${process.pid}-${randomBytes(4).toString("hex")}`;
  const resource = { "service.name": settings.serviceName, "service.instance.id": id, "service.version": version };
  await using metrics = openMetrics(resource, version);
  const state = { isReady: false, waitsFor: "starting" };
  await using admin = await openAdmin(settings, state, metrics.scrape);
  state.waitsFor = "waiting for NATS";
  await using nats = await openNats(settings, { name: `orchestrator ${id}`, log, signal });
  const names = toNames(settings.prefix);
  const { partitions: partitionsAsked, replicas, auditRetention: auditRetentionMs } = settings;
  const asked = { partitions: partitionsAsked, replicas, auditRetentionMs };
  using attached = await attachTo(nats, { nats, names, ...asked, log, signal });
  const { ports, layouts } = attached;
  const partitions = partitionCount(layouts);
  if (partitions !== partitionsAsked)
    log.info("the number of partitions is that of the first start", { partitions, partitionsAsked });
  const credentials = toCredentials(secretsOf(settings, attached.secret));
  const store = openDefinitionStore(nats.connection, names);
  await using definitions = await readDefinitions(store, log, signal);
  const ground = { ...ports, plans: definitions, credentials };
  const webhook = openWebhook(settings, ground, metrics, log);
  const tracing = openTracing(settings, ground, log);
  const { showTrace, traces } = tracing;
  const rows = await openRows(settings, { ...ground, layouts, showTrace }, log);
  const sidecars = toSidecarDoors(nats, names, ports.payloads, log, signal);
  using live = openLiveContracts(sidecars.catalog, ports.payloads, Date.now);
  using drift = openDrift(live);
  const observer = allObservers([tracing.observer, rows?.observer, webhook?.observer, ...toWatchers(metrics, log)]);
  const owns = { id, attached, definitions, credentials, observer, drift, archive: rows?.archive };
  const processor = openOwnProcessor(settings, owns, log);
  const isSweeping = (): boolean => processor.owned().includes(sweepingPartition);
  using _ = openTaskSweep({ nats, names, log, isOurs: isSweeping });
  using _kept = openKeptSweep({ nats, names, payloads: ports.payloads, log, isOurs: isSweeping });
  const { limits, audit, bulkRecord } = attached;
  const bulks = toBulkStore(bulkRecord);
  using _bulks = openBulks({ rows, store: bulks, processor, definitions, settings, log });
  const { front } = processor;
  const keeping = { store: attached.schedules, processor, definitions, partitions, instruments: metrics, log };
  using scheduled = openSchedules(settings, keeping);
  const fed = { ...attached.events, names, isOurs: isSweeping };
  using triggered = openTriggers(settings, { ...fed, processor, definitions, instruments: metrics, log });
  const { triggers, hooks } = triggered;
  const shows = { showTrace, traces, showStep: detailsOfStep, lists: rows?.lists, schedules: scheduled.schedules };
  openMeasures(metrics.meter, { processor, nats, rows, ...sidecars, tellsQueues: isSweeping });
  const checkDeploy = toDeployCheck({ definitions, live, inspect: { ...ground, layouts } }, rows);
  const files = toRunFiles({ front, layouts, store: rows?.store, showTrace });
  const doors = { ...withDrift(sidecars, drift), ...shows, files };
  const door = { front, definitions, credentials, checkDeploy, limits, bulks, audit, triggers, hooks, ...doors };
  const work = (server: FrontServer): Promise<void> => {
    log.info("ready", { id, listen: settings.listen, port: server.port, adminPort: admin.port, partitions, version });
    return tellReadiness(server, { nats, room: attached.room }, state, signal);
  };
  let isDone = false;
  let isReleased = false;
  try {
    isDone = await serveFront(door, settings, log, work);
    if (!isDone) log.warn("calls were left behind; their runs go on");
  } finally {
    isReleased = await handOver(processor, [tracing, webhook, rows]);
  }
  log.info("stopped", { isReleased });
  return isDone && isReleased ? 0 : 1;
}

/** Works on partitions, as this process is set. */
function openOwnProcessor(
  settings: OrchestratorSettings,
  {
    id,
    attached: { layouts, ports },
    definitions,
    archive,
    ...given
  }: Pick<ProcessorOptions, "credentials" | "observer" | "archive" | "drift"> & {
    readonly id: string;
    readonly attached: Attached;
    readonly definitions: Definitions;
  },
  log: Log,
): Processor {
  return openProcessor({
    orchestrator: id,
    member: { version, address: settings.listen },
    layouts,
    ports,
    plans: definitions,
    workflows: definitions,
    limits: settings,
    ...settings,
    ...given,
    archive,
    bounds: toBounds(settings),
    now: Date.now,
    randomBytes: openRandomPool(randomBytes),
    logger: log,
  });
}

/** Who counts what becomes of runs, and who logs it. */
function toWatchers(metrics: Metrics, log: Log): readonly TurnObserver[] {
  return [openRunMeasures(metrics), toRunLog(log)];
}

/** What sidecars say, what waits for them, the way to tell them something, and what their services call. */
function toSidecarDoors(
  nats: Nats,
  names: Names,
  payloads: Ports["payloads"],
  log: Log,
  signal: AbortSignal,
): Pick<FrontServerOptions, Exclude<SidecarDoors, "catalog">> & { readonly catalog: CatalogView } {
  return {
    serveRelays: (carry) => serveRelays(nats, names, carry, log),
    fetchRequest: (ref) => payloads.get(ref),
    dropRequest: (service, keptAs) => void payloads.remove(keptAs, service).catch(() => undefined),
    catalog: openCatalogView(nats.connection, names, Date.now, signal),
    readTaskQueues: () => readTaskQueues(nats, names),
    tellSidecar: (services, order) => tellSidecar(nats, names, services, order),
  };
}

/** The same, where what is offered is compared with what is called. */
function withDrift<Doors extends { readonly catalog: CatalogView }>(
  doors: Doors,
  drift: Drift,
): Doors & Pick<FrontServerOptions, "catalog"> {
  return {
    ...doors,
    catalog: { ...doors.catalog, driftOf: (plan, method, path) => drift.reasonFor(plan, method, path) },
  };
}

/** What a deploy would change and break; runs in flight are looked up in the index, once that has caught up. */
function toDeployCheck(
  ground: Pick<DeployCheckGround, "definitions" | "live" | "inspect">,
  rows: Rows | undefined,
): FrontServerOptions["checkDeploy"] {
  return async (image) => {
    await rows?.lists.ready();
    return checkedDeploy({ ...ground, store: rows?.store, runsMax: plannedRunsMax }, image);
  };
}

type SidecarDoors = "catalog" | "readTaskQueues" | "tellSidecar" | "serveRelays" | "fetchRequest" | "dropRequest";

/** Carries out actions on many runs while partition 0 is ours; without an index there are none. */
interface BulksGround {
  readonly rows: Rows | undefined;
  readonly store: BulkStore;
  readonly processor: Processor;
  readonly definitions: Definitions;
  readonly settings: OrchestratorSettings;
  readonly log: Log;
}

function openBulks({ rows, store, settings, log, ...ground }: BulksGround): Disposable | undefined {
  if (rows === undefined) return undefined;
  const { definitions, processor } = ground;
  return openBulkWork({
    store,
    isOurs: () => processor.owned().includes(sweepingPartition),
    next: rows.nextOf,
    act: toBulkAct({ ...settings, front: processor.front, store: rows.store, definitions }),
    now: Date.now,
    logger: log,
  });
}

/** Whether the front door is open, and what is waited for until then. */
interface Readiness {
  readonly isReady: boolean;
  readonly waitsFor: string;
}

/** Says whether the front door is of use, until the signal aborts. */
async function tellReadiness(
  server: FrontServer,
  { nats, room }: { readonly nats: Nats; readonly room: StoreRoom },
  state: Readiness,
  signal: AbortSignal,
): Promise<void> {
  const tell = (isConnected: boolean): void => {
    const waitsFor = isConnected ? (room.isFull() ? "NATS has no room to store more" : "") : "NATS is away";
    const isReady = waitsFor === "";
    Object.assign(state, { isReady, waitsFor });
    server.setServing(isReady);
  };
  nats.onDisconnect(() => tell(false));
  nats.onReconnect(() => tell(true));
  room.onChange(() => tell(nats.isConnected()));
  tell(nats.isConnected());
  await aborted(signal);
  Object.assign(state, { isReady: false, waitsFor: "shutting down" });
}

function openAdmin(
  { adminHost, adminPort }: OrchestratorSettings,
  state: Readiness,
  metrics: AdminOptions["metrics"],
): Promise<AdminServer> {
  return openAdminServer({
    host: adminHost,
    port: adminPort ?? adminPortFirst,
    portsTried: adminPort === undefined ? adminPortsTried : 1,
    readyz: () => (state.isReady ? { ok: true } : { ok: false, detail: state.waitsFor }),
    metrics,
  });
}

/** What is told of turns, to whom it may concern. */
type Teller = AsyncDisposable & { settled(signal: AbortSignal): Promise<void> };

/** Leaves the partitions to others; false when they have to find out by themselves. */
async function handOver(processor: Processor, tellers: readonly (Teller | undefined)[]): Promise<boolean> {
  const told = tellers.filter((teller) => teller !== undefined);
  // Before the partitions are released: what is pending of a partition that is left is its next owner's to tell.
  const soon = AbortSignal.timeout(settlingMs);
  await atMost(settlingMs, Promise.all(told.map((teller) => teller.settled(soon))));
  const isReleased = await atMost(closingMs, disposed(processor));
  for (const teller of told) await atMost(closingMs, disposed(teller));
  return isReleased;
}

/** Attaches to NATS, and says what is missing while that takes long. */
async function attachTo(nats: Nats, options: AttachOptions): Promise<Attached> {
  const server = nats.connection.getServer();
  const tell = (): void =>
    options.log.warn("waiting for JetStream: NATS answers, its streams don't; is it enabled (nats-server -js)?", {
      server,
    });
  const timer = setInterval(tell, slowAttachMs);
  try {
    return await attach(options);
  } finally {
    clearInterval(timer);
  }
}

/** Reads the definitions, again and again while their store does not answer. */
async function readDefinitions(store: DefinitionStore, log: Log, signal: AbortSignal): Promise<Definitions> {
  for (;;) {
    try {
      return await openDefinitions({ store, now: Date.now, log });
    } catch (error) {
      if (!(error instanceof DefinitionStoreError) || signal.aborted) throw error;
      log.warn("waiting for the store of definitions", { error: errorText(error) });
      await pause(1_000, signal);
    }
  }
}

/** Opens the front door, and closes it when `work` is done; false when calls had to be left behind. */
async function serveFront(
  door: Pick<
    FrontServerOptions,
    | "front"
    | "definitions"
    | "credentials"
    | "checkDeploy"
    | "files"
    | "limits"
    | "bulks"
    | "audit"
    | "schedules"
    | "triggers"
    | "hooks"
    | "showTrace"
    | "traces"
    | "showStep"
    | "lists"
    | SidecarDoors
  >,
  settings: OrchestratorSettings,
  log: Log,
  work: (server: FrontServer) => Promise<void>,
): Promise<boolean> {
  const isSampled = toSampler(settings);
  await using server = await openFrontServer({
    ...door,
    address: settings.listen,
    consoleFolder: findConsole(),
    jaegerUrl: settings.jaegerUrl,
    authenticate: settings.tokens === undefined ? undefined : openTokens(settings.tokens, log, Date.now),
    tls: toTlsFiles(settings),
    isOpen: settings.insecureListen,
    hookSecrets: settings.hookSecrets,
    payloadBytesMax: settings.payloadBytesMax,
    requestBytesMax: Math.max(settings.requestBytesMax, settings.payloadBytesMax),
    // The image itself, and what an rpc adds to it.
    deployBytesMax: defaultCompileLimits.imageBytesMax + 1024,
    traceOf: (runId, caller) => toTraceStart(runId, caller, isSampled),
    log,
  });
  await work(server);
  return atMost(settings.drainTimeout, server.drain());
}

function toTlsFiles({ tlsCert, tlsKey, tlsClientCa }: OrchestratorSettings): FrontServerOptions["tls"] {
  return tlsCert === undefined || tlsKey === undefined
    ? undefined
    : { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa };
}

function toBounds({ snapshotEvents, retention, retentionFailed }: OrchestratorSettings): Partial<Bounds> {
  return { snapshotEvery: snapshotEvents, retentionMs: retention, retentionFailedMs: retentionFailed };
}

async function disposed(resource: AsyncDisposable): Promise<void> {
  await resource[Symbol.asyncDispose]();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
