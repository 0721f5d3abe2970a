import { ListLimitsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { MethodLimit, Rate } from "../../proto/gen/sidestep/v1/runs.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import { rateText } from "./rate.ts";
import type { Terminal } from "./terminal.ts";

/** Limits the calls of a method. */
export async function setLimit(
  method: string,
  given: {
    readonly address: string;
    readonly concurrency?: number;
    readonly perSidecar?: number;
    readonly rate?: Rate;
    readonly reason: string;
  },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(given.address);
  const limit: MethodLimit = {
    method,
    concurrency: given.concurrency ?? 0,
    concurrencyPerSidecar: given.perSidecar ?? 0,
    rate: given.rate,
    since: undefined,
  };
  await client.call(client.runs.setLimit.bind(client.runs), { limit, reason: given.reason });
  terminal.err(`${method} is limited: its calls wait for their turn until \`sidestep limit clear\`\n`);
}

/** Lifts the limit of a method. */
export async function clearLimit(
  method: string,
  given: { readonly address: string; readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(given.address);
  await client.call(client.runs.clearLimit.bind(client.runs), { method, reason: given.reason });
  terminal.err(`${method} is limited no more\n`);
}

/** Prints what is limited. */
export async function listLimits(
  options: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listLimits.bind(client.runs), {});
  printList(
    options.output,
    {
      type: "sidestep.v1.ListLimitsResponse",
      bytes: ListLimitsResponse.encode(answer).finish(),
      field: "limits",
      items: answer.limits,
      name: ({ method }) => method,
      empty: "nothing is limited",
      columns: [
        { heading: "METHOD", cell: ({ method }) => method },
        { heading: "CONCURRENCY", cell: ({ concurrency }) => boundText(concurrency) },
        { heading: "PER SIDECAR", cell: ({ concurrencyPerSidecar }) => boundText(concurrencyPerSidecar) },
        { heading: "RATE", cell: ({ rate }) => rateText(rate) },
        ...timeColumn<MethodLimit>("SINCE", ({ since }) => since),
      ],
    },
    terminal,
  );
}

function boundText(bound: number): string {
  return bound === 0 ? "-" : String(bound);
}
