import { readFileSync } from "node:fs";
import { helpText, readConfiguration } from "../../runtime/src/configuration.ts";
import { errorText, logger } from "../../runtime/src/log.ts";
import { shutdownSignal } from "../../runtime/src/shutdown.ts";
import { misfits, orchestratorSettings } from "./config.ts";
import type { OrchestratorSettings } from "./config.ts";
import { serve } from "./orchestrator.ts";

const usage = "sidestep orchestrator [settings]";
const about = "Serves the deployed workflows as gRPC, and drives their runs. It keeps everything in NATS.";
/** Beyond the drain: releasing partitions and closing connections. */
const closingMs = 5_000;

const reading = readConfiguration(orchestratorSettings, {
  args: process.argv.slice(2),
  environment: process.env,
  readFile: (file) => readFileSync(file, "utf8"),
});
switch (reading.kind) {
  case "help":
    process.stdout.write(helpText(usage, about, orchestratorSettings));
    break;
  case "problems":
    for (const problem of reading.problems) process.stderr.write(`${problem}\n`);
    process.stderr.write("sidestep orchestrator --help shows all settings.\n");
    process.exitCode = 2;
    break;
  case "settings": {
    const problems = misfits(reading.settings);
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    if (problems.length === 0) await run(reading.settings);
    else process.exitCode = 2;
  }
}

async function run(settings: OrchestratorSettings): Promise<void> {
  const log = logger("orchestrator", { level: settings.logLevel, format: settings.logFormat });
  const signal = shutdownSignal(process, log, settings.drainTimeout + closingMs);
  try {
    process.exitCode = await serve(settings, log, signal);
  } catch (error) {
    if (!signal.aborted) {
      log.error("the orchestrator can't go on", { error: errorText(error) });
      process.exitCode = 1;
    }
  }
  // Whatever still holds a handle is done with.
  process.exit();
}
