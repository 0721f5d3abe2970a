import { natsSettings } from "../../../runtime/src/natsSettings.ts";
import { readConfiguration } from "../../../runtime/src/configuration.ts";
import { CliFailure, exit } from "../failure.ts";
import type { ExitCode } from "../failure.ts";
import { openFrontClient } from "../frontClient.ts";
import type { Terminal } from "../terminal.ts";
import { otlpCheck, serviceCheck } from "./doorChecks.ts";
import { findingText } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { natsChecks } from "./natsChecks.ts";
import { orchestratorChecks } from "./orchestratorChecks.ts";

export interface DoctorOptions {
  readonly address: string;
  readonly output: "table" | "json";
  /** NATS is looked at too; its flags as the orchestrator takes them. */
  readonly nats: boolean;
  readonly natsFlags: readonly string[];
  readonly service: readonly string[];
  readonly otlpEndpoint: string | undefined;
}

/** Looks at everything that a run needs, tells each finding as it is made, and ends with 10 when one is bad. */
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<ExitCode> {
  const findings: Finding[] = [];
  for await (const finding of checks(options, terminal)) {
    findings.push(finding);
    if (options.output === "table") terminal.out(findingText(finding, terminal.colors.out));
  }
  if (options.output === "json") terminal.out(`${JSON.stringify({ findings }, undefined, 2)}\n`);
  const hasBad = findings.some(({ state }) => state === "bad");
  if (options.output === "table") terminal.err(hasBad ? "something has to be mended\n" : "nothing is wrong\n");
  return hasBad ? exit.findings : exit.ok;
}

async function* checks(options: DoctorOptions, terminal: Terminal): AsyncGenerator<Finding> {
  using client = openFrontClient(options.address);
  yield* orchestratorChecks(client);
  if (options.nats) yield* natsChecks(natsOf(options.natsFlags, terminal));
  for (const service of options.service) yield await serviceCheck(service);
  if (options.otlpEndpoint !== undefined) yield await otlpCheck(options.otlpEndpoint);
}

function natsOf(args: readonly string[], terminal: Terminal) {
  const reading = readConfiguration(natsSettings, {
    args,
    environment: terminal.environment,
    readFile: () => "{}",
  });
  if (reading.kind === "settings") return reading.settings;
  const what = reading.kind === "problems" ? reading.problems.join("; ") : "the settings of NATS can't be read";
  throw new CliFailure(exit.usage, what, "the options", "sidestep doctor --help lists them");
}
