import path from "node:path";
import { keepRunning } from "./kept.ts";
import type { Kept } from "./kept.ts";
import type { Keeper } from "./keeper.ts";
import { installedIn, lacksPackages } from "./packages.ts";
import { freePort } from "./ports.ts";
import { parseLogLine, programOf } from "./programOf.ts";
import type { OwnPrograms } from "./programOf.ts";
import type { ProjectService } from "./projectFile.ts";
import type { Screen } from "./screen.ts";

/** What service processes and sidecars are started with. */
export interface Surroundings {
  /** Folder of the project. */
  readonly project: string;
  readonly natsUrl: string;
  /** host:port of the orchestrator. */
  readonly address: string;
  /** What this process was given. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly programs: OwnPrograms;
  readonly keeper: Keeper;
  readonly screen: Screen;
  /** A line of a program of ours, for its log file. */
  readonly keep: (name: string, line: string) => void;
}

/** A service process and the sidecar beside it. */
export interface ServedService extends AsyncDisposable {
  readonly service: ProjectService;
  readonly address: string;
  /** The sidecar is up. */
  readonly ready: Promise<void>;
}

const commandGraceMs = 5_000;
const sidecarGraceMs = 4_000;

/** Starts the service where it has a command, and a sidecar beside it in any case. */
export async function openServedService(service: ProjectService, around: Surroundings): Promise<ServedService> {
  const address = service.address ?? `127.0.0.1:${await freePort()}`;
  const command = service.command === undefined ? undefined : startCommand(service, service.command, address, around);
  const sidecar = openSidecar({ ...service, address, isRestarted: false }, around);
  return {
    service,
    address,
    ready: sidecar.ready,
    [Symbol.asyncDispose]: async () => {
      // First who calls, then who is called.
      await sidecar[Symbol.asyncDispose]();
      await command?.[Symbol.asyncDispose]();
    },
  };
}

function startCommand(service: ProjectService, line: string, address: string, around: Surroundings): Kept {
  const { project, environment, screen, keeper } = around;
  const port = /:(\d+)$/.exec(address)?.[1];
  const cwd = path.resolve(project, service.cwd);
  const lacks = (last: readonly string[]): string => {
    const folder = lacksPackages(cwd, project, last);
    return folder === undefined ? "" : `; run \`npm install\` in ${folder}, and it is started at once`;
  };
  return keepRunning({
    command: line,
    args: [],
    isShell: true,
    cwd,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${around.address}`,
      OTEL_SERVICE_NAME: service.name,
      SIDESTEP_ADDRESS: around.address,
      ...environment,
      PATH: [path.join(project, "node_modules", ".bin"), environment["PATH"] ?? ""].join(path.delimiter),
      ...(port === undefined ? {} : { PORT: port }),
      ...service.env,
    },
    keeper,
    onLine: (text) => screen.line(service.name, text),
    fell: (how, againMs, last) =>
      screen.line(service.name, screen.tone(`${fellText(how, againMs)}${lacks(last)}`, "bad")),
    standsOn: () => installedIn(cwd, project),
    graceMs: commandGraceMs,
  });
}

interface BesideService extends Pick<ProjectService, "name" | "expose" | "listen"> {
  readonly address: string;
  /** At saves, by us: that it is away for a moment is no news. */
  readonly isRestarted: boolean;
}

/** A sidecar beside whatever listens at an address. */
export function openSidecar({ name, address, expose, listen, isRestarted }: BesideService, around: Surroundings): Kept {
  const { project, natsUrl, programs, keeper, screen, keep } = around;
  const own = `${name}-sidecar`;
  const args = [
    ["--service", address],
    ["--name", own],
    ["--nats-url", natsUrl],
    ["--log-format", "json"],
    ["--drain-timeout", "2s"],
    ...expose.map((one) => ["--expose", one]),
    ...(listen === undefined ? [] : [["--listen", listen]]),
  ].flat();
  return keepRunning({
    ...programOf(programs, "sidecar", args),
    cwd: project,
    env: ownEnvironment(around.environment),
    keeper,
    isReady: (line) => parseLogLine(line)?.message === "sidecar ready",
    onLine: (line) => {
      keep(own, line);
      const isNews = !isRestarted || parseLogLine(line)?.message.startsWith("the service is away") !== true;
      if (isNews) tellLog(own, line, screen);
    },
    fell: (how, againMs) => screen.line(own, screen.tone(fellText(how, againMs), "bad")),
    graceMs: sidecarGraceMs,
  });
}

/** Settings of ours in the environment are meant for other installations than this one. */
export function ownEnvironment(environment: Surroundings["environment"]): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(SIDESTEP|NATS|OTEL)_/.test(name)));
}

/** Shows what somebody should see of a log of ours. */
export function tellLog(name: string, line: string, screen: Screen): void {
  const parsed = parseLogLine(line);
  if (parsed === undefined) return screen.line(name, line);
  const { level, message, fields } = parsed;
  if (level === "warn" || level === "error")
    screen.line(name, `${screen.tone(message, level === "error" ? "bad" : "waiting")}  ${fields}`);
}

/** "ended with code 1; it is started again in 2 s" */
export function fellText(how: string, againMs: number): string {
  return `${how}; it is started again in ${againMs < 1_000 ? `${againMs} ms` : `${Math.round(againMs / 1_000)} s`}`;
}
