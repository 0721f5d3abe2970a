import { ListLimitsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { MethodLimit, Rate } from "../../proto/gen/sidestep/v1/runs.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { rateText } from "./rate.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { timeText } from "./time.ts";

/** Limits the calls of a method. */
export async function setLimit(
  method: string,
  given: {
    readonly address: string;
    readonly concurrency?: number;
    readonly perSidecar?: number;
    readonly rate?: Rate;
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
  await client.call(client.runs.setLimit.bind(client.runs), { limit });
  terminal.err(`${method} is limited: its calls wait for their turn until \`sidestep limit clear\`\n`);
}

/** Lifts the limit of a method. */
export async function clearLimit(
  method: string,
  given: { readonly address: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(given.address);
  await client.call(client.runs.clearLimit.bind(client.runs), { method });
  terminal.err(`${method} is limited no more\n`);
}

/** Prints what is limited. */
export async function listLimits(
  options: { readonly address: string; readonly output: "table" | "json" },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listLimits.bind(client.runs), {});
  if (options.output === "json") {
    const bytes = ListLimitsResponse.encode(answer).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.ListLimitsResponse", bytes)}\n`);
  }
  const rows = answer.limits.map(({ method, concurrency, concurrencyPerSidecar, rate, since }) => [
    method,
    boundText(concurrency),
    boundText(concurrencyPerSidecar),
    rateText(rate),
    timeText(since),
  ]);
  terminal.out(tableText(["METHOD", "CONCURRENCY", "PER SIDECAR", "RATE", "SINCE"], rows));
}

function boundText(bound: number): string {
  return bound === 0 ? "-" : String(bound);
}
