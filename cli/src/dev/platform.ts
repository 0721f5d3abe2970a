import { writeFileSync } from "node:fs";
import path from "node:path";
import { ensureNatsServer } from "../../../bin/natsServer.mjs";
import { CliFailure, exit } from "../failure.ts";
import { keepRunning } from "./kept.ts";
import type { Kept } from "./kept.ts";
import { parseLogLine, programOf } from "./programOf.ts";
import { fellText, ownEnvironment, tellLog } from "./servedService.ts";
import type { Surroundings } from "./servedService.ts";

const natsGraceMs = 5_000;
const orchestratorGraceMs = 6_000;

/** A nats-server, found or fetched, that keeps its data in the folder. Resolves when it is ready; throws CliFailure. */
export async function openNatsServer(
  { port, folder, signal }: { readonly port: number; readonly folder: string; readonly signal: AbortSignal },
  { keeper, screen, keep, environment }: Surroundings,
): Promise<Kept> {
  const command = await ensureNatsServer({ say: (line) => screen.say(line) }).catch((error: unknown) => {
    const [what = "", ...more] = (error instanceof Error ? error.message : String(error)).split("\n");
    throw new CliFailure(exit.error, what, "nats-server", more.join("\n").trim(), error);
  });
  const configuration = path.join(folder, "nats.conf");
  const store = path.join(folder, "nats");
  writeFileSync(configuration, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(store)} }\n`);
  const server = keepRunning({
    command,
    args: ["-c", configuration],
    cwd: folder,
    env: environment,
    keeper,
    isReady: (line) => line.includes("Server is ready"),
    onLine: (line) => keep("nats-server", line),
    fell: (how, againMs) => screen.line("nats-server", screen.tone(fellText(how, againMs), "bad")),
    graceMs: natsGraceMs,
  });
  try {
    await Promise.race([
      server.ready,
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    ]);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    const what = `nats-server: ${error instanceof Error ? error.message : String(error)}`;
    throw new CliFailure(exit.error, what, configuration, "`sidestep dev --reset` begins with an empty store", error);
  }
  return server;
}

/** An orchestrator of its own, whose log is in the folder and whose warnings are shown. Its `ready` rejects with a CliFailure. */
export function openOrchestrator(args: readonly string[], around: Surroundings): Kept {
  const { project, natsUrl, address, programs, keeper, screen, keep } = around;
  const own = [
    ["--listen", address],
    ["--nats-url", natsUrl],
    ["--log-format", "json"],
    ["--drain-timeout", "2s"],
  ].flat();
  const kept = keepRunning({
    ...programOf(programs, "orchestrator", [...own, ...args]),
    cwd: project,
    env: ownEnvironment(around.environment),
    keeper,
    isReady: (line) => parseLogLine(line)?.message === "ready",
    onLine: (line) => {
      keep("orchestrator", line);
      tellLog("orchestrator", line, screen);
    },
    fell: (how, againMs) => screen.line("orchestrator", screen.tone(fellText(how, againMs), "bad")),
    graceMs: orchestratorGraceMs,
  });
  const ready = kept.ready.catch((error: unknown) => {
    const what = `the orchestrator: ${error instanceof Error ? error.message : String(error)}`;
    throw new CliFailure(exit.error, what, address, "read what it says above; docs/errors.md explains it", error);
  });
  ready.catch(() => undefined);
  return { ready, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
}
