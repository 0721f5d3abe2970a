import { ListDefinitionsResponse } from "../../proto/gen/sidestep/v1/definitions.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { timeText } from "./time.ts";

/** Prints the workflows that were ever deployed. */
export async function listWorkflows(
  options: { readonly address: string; readonly output: "table" | "json" },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.definitions.list.bind(client.definitions), {});
  if (options.output === "json") {
    terminal.out(
      `${bytesToJson(toRegistry(), "sidestep.v1.ListDefinitionsResponse", ListDefinitionsResponse.encode(answer).finish())}\n`,
    );
    return;
  }
  if (answer.workflows.length === 0) terminal.err("no workflow is deployed yet: `sidestep deploy <folder>` deploys\n");
  const rows = answer.workflows.map(({ workflow, activeVersion, versions }) => {
    const active = versions.find(({ version }) => version === activeVersion);
    const calls = new Set((active?.methods ?? []).map((method) => method.split("/")[0] ?? ""));
    return [
      workflow,
      active === undefined ? "retired" : String(activeVersion),
      timeText(active?.deployedAt),
      [...calls].join(", "),
    ];
  });
  if (rows.length > 0) terminal.out(tableText(["WORKFLOW", "VERSION", "DEPLOYED", "CALLS"], rows));
}
