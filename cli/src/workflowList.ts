import { ListDefinitionsResponse } from "../../proto/gen/sidestep/v1/definitions.ts";
import type { WorkflowDefinition as Workflow } from "../../proto/gen/sidestep/v1/definitions.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the workflows that were ever deployed. */
export async function listWorkflows(
  options: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.definitions.list.bind(client.definitions), {});
  printList(
    options.output,
    {
      type: "sidestep.v1.ListDefinitionsResponse",
      bytes: ListDefinitionsResponse.encode(answer).finish(),
      field: "workflows",
      items: answer.workflows,
      name: ({ workflow }) => workflow,
      empty: "no workflow is deployed yet: `sidestep deploy <folder>` deploys",
      columns: [
        { heading: "WORKFLOW", cell: ({ workflow }) => workflow },
        {
          heading: "VERSION",
          cell: (one) => (activeOf(one) === undefined ? "retired" : String(one.activeVersion)),
        },
        ...timeColumn<Workflow>("DEPLOYED", (one) => activeOf(one)?.deployedAt),
        { heading: "VERSIONS", cell: ({ versions }) => String(versions.length), only: "wide" },
        { heading: "CALLS", cell: callsOf },
      ],
    },
    terminal,
  );
}

function activeOf({ versions, activeVersion }: Workflow): Workflow["versions"][number] | undefined {
  return versions.find(({ version }) => version === activeVersion);
}

function callsOf(workflow: Workflow): string {
  return [...new Set((activeOf(workflow)?.methods ?? []).map((method) => method.split("/")[0] ?? ""))].join(", ");
}
