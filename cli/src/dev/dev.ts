import { createWriteStream } from "node:fs";
import path from "node:path";
import { CliFailure, exit } from "../failure.ts";
import type { ExitCode } from "../failure.ts";
import { openFrontClient } from "../frontClient.ts";
import type { Terminal } from "../terminal.ts";
import { version } from "../../../runtime/src/version.ts";
import { openStoreFolder } from "./storeFolder.ts";
import type { StoreFolder } from "./storeFolder.ts";
import { openDeploys } from "./deploys.ts";
import { watchFolder } from "./folderWatch.ts";
import { openKeeper } from "./keeper.ts";
import { greeting } from "./greeting.ts";
import { openNatsServer, openOrchestrator } from "./platform.ts";
import { findPort, isFree } from "./ports.ts";
import type { OwnPrograms } from "./programOf.ts";
import type { ProjectService, ProjectStub } from "./projectFile.ts";
import { openProject } from "./project.ts";
import type { OpenedProject } from "./project.ts";
import { openScreen } from "./screen.ts";
import type { Screen } from "./screen.ts";
import type { Surroundings } from "./servedService.ts";

/** How `sidestep dev` is asked to work. */
export interface DevOptions {
  /** Folder of the project: .proto files, and sidestep.yaml where there is one. */
  readonly folder: string;
  /** Services of --service. */
  readonly services: readonly ProjectService[];
  /** Services of --stub. */
  readonly stubs: readonly ProjectStub[];
  readonly dataDir: string | undefined;
  readonly reset: boolean;
  /** host:port of the front door; undefined: the usual one, or a free port. */
  readonly listen: string | undefined;
  /** Where traces are passed on to. */
  readonly otlp: string | undefined;
}

/** What it stands on. */
export interface DevHost {
  readonly terminal: Terminal;
  readonly programs: OwnPrograms;
  /** Aborts when it is to end. */
  readonly signal: AbortSignal;
}

const doorPort = 7420;
const natsPort = 4222;

/** Somebody may take a port after it was found free. */
const triesMax = 3;

/** Runs a project on this machine until the signal aborts; then all that it started is gone. Throws CliFailure. */
export async function dev(options: DevOptions, { terminal, programs, signal }: DevHost): Promise<ExitCode> {
  const startedAt = performance.now();
  const screen = openScreen(terminal);
  const folder = path.resolve(options.folder);
  const color = terminal.colors.out;
  await using stack = new AsyncDisposableStack();
  const project = openProject(folder, options, color);
  const store = stack.use(await openStoreFolder(folder, options.dataDir, options.reset));
  const keeper = stack.use(openKeeper(store.folder));
  const keep = openLogs(store.folder, stack);
  const base = { project: folder, environment: terminal.environment, programs, keeper, screen, keep };
  for (let tries = 1; ; tries++) {
    const ports = await choosePorts(options, screen);
    const around = { ...base, natsUrl: `nats://127.0.0.1:${ports.nats}`, address: ports.listen };
    try {
      return await perform({ options, project, store, ports, around, startedAt, color }, signal);
    } catch (error) {
      if (tries === triesMax || !isPortTaken(error)) throw error;
    }
  }
}

interface Stage {
  readonly options: DevOptions;
  readonly project: OpenedProject;
  readonly store: StoreFolder;
  readonly ports: Ports;
  readonly around: Surroundings;
  readonly startedAt: number;
  readonly color: boolean;
}

async function perform(stage: Stage, signal: AbortSignal): Promise<ExitCode> {
  const { options, project, store, ports, around, startedAt, color } = stage;
  const { screen, project: folder, natsUrl } = around;
  await using stack = new AsyncDisposableStack();
  const late = stack.use(progress(screen));
  const client = stack.use(openFrontClient(ports.listen));
  const deploys = openDeploys({ folder, client, screen, color, signal });
  late.at("nats-server and the first build");
  // Followed before it is read: what is saved in between would be seen by nobody.
  const saves = stack.use(followSaves(folder, screen));
  const building = deploys.prepare();
  stack.use(await openNatsServer({ port: ports.nats, folder: store.folder, signal }, around));
  store.claim(ports.nats);
  const orchestrator = stack.use(openOrchestrator(traceArgs(options.otlp), around));
  const image = await building;
  if (image !== undefined) project.check(image);
  const running = stack.use(project.run(image, around));
  late.at("the orchestrator");
  await whileAsked(orchestrator.ready, signal);
  late.at("the first deploy");
  await whileAsked(deploys.now(), signal);
  late.at("sidecars");
  await whileAsked(running.ready(), signal);
  late[Symbol.dispose]();
  if (signal.aborted) return exit.ok;
  const isConsoleBuilt = await hasConsole(ports.listen);
  const addresses = { door: ports.listen, natsUrl, otlp: options.otlp, store: store.folder, isConsoleBuilt };
  const readyMs = performance.now() - startedAt;
  screen.say(greeting({ version, readyMs, addresses, deployed: deploys.state(), running, screen }));
  void running.tellAbsent(deploys.state(), client, signal);
  saves.begin({
    reads: (file) => running.reads(file),
    saved: () => void deploys.now().then(() => running.refresh(deploys.state(), client, signal)),
  });
  await aborted(signal);
  screen.say("\nstopping …");
  return exit.ok;
}

interface SaveListener {
  /** Whether a file, an absolute path, has to do with what is run. */
  readonly reads: (file: string) => boolean;
  readonly saved: () => void;
}

interface Saves extends Disposable {
  /** Tells of saves from now on, and at once if there was one before. */
  begin(listener: SaveListener): void;
}

/** Follows what is saved in a project's folder. */
function followSaves(folder: string, screen: Screen): Saves {
  const early = new Set<string>();
  let isEarly = false;
  let listener: SaveListener | undefined;
  const watch = watchFolder(folder, {
    isWanted: (file) => {
      if (listener === undefined) early.add(path.join(folder, file));
      return isContract(file) || listener?.reads(path.join(folder, file)) === true;
    },
    changed: () => {
      if (listener === undefined) isEarly = true;
      else listener.saved();
    },
    failed: (reason) => screen.say(`${folder} can't be followed: ${reason}; start again after changes`),
  });
  return {
    begin: (given) => {
      listener = given;
      if (isEarly || [...early].some(given.reads)) given.saved();
      early.clear();
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

async function hasConsole(door: string): Promise<boolean> {
  const answer = await fetch(`http://${door}/console/`).catch(() => undefined);
  return answer?.ok === true;
}

/** Enough to look back at an afternoon's runs. */
const tracesKept = 500;

function traceArgs(otlp: string | undefined): readonly string[] {
  return ["--traces-kept", String(tracesKept), ...(otlp === undefined ? [] : ["--otlp-endpoint", otlp])];
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && /address already in use|EADDRINUSE/.test(error.message);
}

/** What an image is built of; bodies of workflows may stand in YAML and in the text format. */
function isContract(file: string): boolean {
  const name = path.basename(file);
  return name !== "sidestep.yaml" && (name === "buf.lock" || /\.(proto|ya?ml|txtpb|textproto)$/.test(name));
}

interface Ports {
  readonly listen: string;
  readonly nats: number;
}

async function choosePorts({ listen }: DevOptions, screen: Screen): Promise<Ports> {
  const nats = await findPort(natsPort);
  if (!nats.isWanted) screen.say(`port ${natsPort} is taken: NATS listens on ${nats.port}`);
  if (listen !== undefined) {
    const port = Number(/:(\d+)$/.exec(listen)?.[1] ?? 0);
    if (await isFree(port)) return { listen, nats: nats.port };
    throw new CliFailure(exit.error, `port ${port} is taken`, "--listen", "name another one, or leave --listen out");
  }
  const door = await findPort(doorPort);
  if (!door.isWanted) screen.say(`port ${doorPort} is taken: the orchestrator listens on ${door.port}`);
  return { listen: `127.0.0.1:${door.port}`, nats: nats.port };
}

/** A file for each program of ours. */
function openLogs(folder: string, stack: AsyncDisposableStack): (name: string, line: string) => void {
  const files = new Map<string, ReturnType<typeof createWriteStream>>();
  stack.defer(() => files.forEach((file) => file.end()));
  return (name, line) => {
    const file = files.get(name) ?? createWriteStream(path.join(folder, "logs", `${name}.log`));
    files.set(name, file);
    file.write(`${line}\n`);
  };
}

const tellAfterMs = 2_500;

/** Says what is being waited for, when it takes long. */
function progress(screen: Screen): Disposable & { at(what: string): void } {
  let waitsFor = "";
  const timer = setInterval(() => screen.say(`waiting for ${waitsFor} …`), tellAfterMs);
  return { at: (what) => void (waitsFor = what), [Symbol.dispose]: () => clearInterval(timer) };
}

/** Waits for the work, or for the end of it all. */
async function whileAsked(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  await Promise.race([work, aborted(signal)]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
