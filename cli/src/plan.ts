import { PlanResponse } from "../../proto/gen/sidestep/v1/definitions.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { breaksText } from "./breaks.ts";
import { changeText, diagnosticsOf, hasError, show, wrong } from "./deploy.ts";
import { exit } from "./failure.ts";
import type { ExitCode } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { readSource } from "./source.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface PlanOptions {
  readonly address: string;
  readonly folder: string;
  /** File with a google.protobuf.FileDescriptorSet to plan instead of the folder. */
  readonly descriptorSet: string | undefined;
  readonly output: "table" | "json";
}

/** Runs in flight may be looked into by the thousand. */
const planTimeoutMs = 120_000;

/** Builds as `check` does and shows what a deploy would change and break; 10: it would break something. */
export async function plan(options: PlanOptions, terminal: Terminal): Promise<ExitCode> {
  const source = await readSource(options.folder, options.descriptorSet);
  const { image, diagnostics } = source;
  if (image === undefined || hasError(diagnostics))
    throw wrong("nothing is planned", diagnostics, source, options, terminal);
  using client = openFrontClient(options.address);
  const answer = await client
    .call(client.definitions.plan.bind(client.definitions), { image: Buffer.from(image) }, planTimeoutMs)
    .catch((error: unknown) => {
      const found = diagnosticsOf(error);
      throw found.length === 0 ? error : wrong("nothing is planned", found, source, options, terminal);
    });
  const code = answer.breaks.length > 0 ? exit.findings : exit.ok;
  if (options.output === "json") {
    const bytes = PlanResponse.encode(answer).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.PlanResponse", bytes)}\n`);
    return code;
  }
  show(answer.diagnostics, source, terminal);
  if (answer.workflows.length === 0) terminal.err("no workflow found: no rpc has the option (sidestep.v1.workflow)\n");
  const rows = answer.workflows.map((one) => [one.workflow, String(one.version), changeText(one.change, true)]);
  if (rows.length > 0) terminal.out(tableText(["WORKFLOW", "VERSION", "WOULD BE"], rows));
  terminal.out(`\n${breaksText(answer)}\n`);
  return code;
}
