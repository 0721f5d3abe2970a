import { setTimeout as delay } from "node:timers/promises";
import { ListSidecarsResponse } from "../../proto/gen/sidestep/v1/services.ts";
import type { SidecarStatus } from "../../proto/gen/sidestep/v1/services.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the sidecars that are alive. */
export async function listSidecars(
  { address, output }: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const sidecars = await sidecarsOf(client);
  printList(
    output,
    {
      type: "sidestep.v1.ListSidecarsResponse",
      bytes: ListSidecarsResponse.encode({ sidecars: [...sidecars] }).finish(),
      field: "sidecars",
      items: sidecars,
      name: ({ id }) => id,
      empty: "no sidecar is alive: `sidestep sidecar --service localhost:50051` starts one",
      columns: [
        { heading: "SIDECAR", cell: ({ id }) => id },
        { heading: "HOST", cell: ({ host }) => host },
        { heading: "TARGET", cell: ({ target }) => target },
        { heading: "STATE", cell: stateText },
        { heading: "IN FLIGHT", cell: ({ inFlight, concurrency }) => `${inFlight} of ${concurrency}` },
        ...timeColumn<SidecarStatus>("HEARD", ({ heardAt }) => heardAt),
        { heading: "NAME", cell: ({ name }) => name, only: "wide" },
        { heading: "VERSION", cell: ({ version }) => version, only: "wide" },
        { heading: "HELD BACK", cell: ({ broken }) => broken.join(", "), only: "wide" },
        { heading: "SERVICES", cell: ({ services }) => services.join(", ") },
      ],
    },
    terminal,
  );
}

const lookEveryMs = 500;

/** Has a sidecar take nothing new, and waits until it has finished what it has; an interrupt ends the command alone. */
export async function drainSidecar(
  start: string,
  { address, reason, detach }: { readonly address: string; readonly reason: string; readonly detach: boolean },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const sidecarId = await idOf(client, start);
  const { services } = client;
  const { sidecars } = await client.call(services.drainSidecar.bind(services), { sidecarId, reason });
  const undo = `\`sidestep sidecar resume ${sidecarId}\` lets it take calls again`;
  let left = inFlightOf(sidecars);
  terminal.err(`${sidecarId} takes nothing new; ${left} in flight. ${undo}\n`);
  if (detach) return;
  const forget = terminal.atInterrupt("\nIt goes on draining without this command.\n");
  try {
    while (left > 0) {
      await delay(lookEveryMs);
      const now = (await sidecarsOf(client)).filter(({ id }) => id === sidecarId);
      if (now.length === 0) return terminal.err("it has ended\n");
      if (now.every(({ draining }) => draining === undefined))
        throw new CliFailure(exit.error, "somebody lets it take calls again", sidecarId, "agree with them");
      const before = left;
      left = inFlightOf(now);
      if (left !== before && left > 0) terminal.err(`${left} in flight\n`);
    }
    terminal.err("it has finished what it had\n");
  } finally {
    forget();
  }
}

/** Lets it take calls again. */
export async function resumeSidecar(
  start: string,
  { address, reason }: { readonly address: string; readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const sidecarId = await idOf(client, start);
  await client.call(client.services.resumeSidecar.bind(client.services), { sidecarId, reason });
  terminal.err(`${sidecarId} takes calls again\n`);
}

/** Whether it takes calls, and why not. */
export function stateText({ draining, serving }: SidecarStatus): string {
  if (draining !== undefined) {
    const why = [draining.reason, draining.actor === "" ? "" : `by ${draining.actor}`].filter((part) => part !== "");
    return why.length === 0 ? "draining" : `draining (${why.join(", ")})`;
  }
  return serving ? "serving" : "its service is away or not healthy";
}

/** The id that begins so. */
async function idOf(client: FrontClient, start: string): Promise<string> {
  const ids = new Set((await sidecarsOf(client)).map(({ id }) => id));
  const found = ids.has(start) ? [start] : [...ids].filter((id) => id.startsWith(start));
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  const what = found.length === 0 ? `no sidecar is called ${start}` : `${found.length} sidecars are called ${start}…`;
  const next = "`sidestep sidecar list` shows those that are alive";
  throw new CliFailure(exit.notFound, what, `the orchestrator at ${client.address}`, next);
}

async function sidecarsOf(client: FrontClient): Promise<readonly SidecarStatus[]> {
  return (await client.call(client.services.listSidecars.bind(client.services), {})).sidecars;
}

function inFlightOf(sidecars: readonly SidecarStatus[]): number {
  return Math.max(0, ...sidecars.map(({ inFlight }) => inFlight));
}
