import type { ServiceError } from "@grpc/grpc-js";
import { GetIndexResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { IndexedPartition, RebuildIndexResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { callMetadata } from "./doorCredentials.ts";
import { toCliFailure } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ShownForm } from "./listForm.ts";
import { printShown } from "./listing.ts";
import { listText, tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { durationText } from "./time.ts";

/** Prints what the index is, and how far it goes. */
export async function describeIndex(
  options: { readonly address: string; readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.getIndex.bind(client.runs), {});
  const bytes = GetIndexResponse.encode(answer).finish();
  await printShown(options.output, { type: "sidestep.v1.GetIndexResponse", bytes }, () => indexText(answer), terminal);
}

function indexText({ description, lag, partitions }: GetIndexResponse): string {
  const behind = lag === undefined ? 0 : Number(lag.seconds) * 1000 + lag.nanos / 1e6;
  const about = listText([
    ["index", description],
    ["behind", durationText(behind)],
  ]);
  const rows = partitions.map(({ partition, position, head, catchingUp }) => [
    String(partition),
    String(position),
    String(head),
    catchingUp ? "reads the log" : "",
  ]);
  return `${about}\n${tableText(["PARTITION", "POSITION", "HEAD", ""], rows)}`;
}

/** Makes the index anew; the progress goes to stderr, as one line that grows on a terminal and a line each 10 % else. */
export async function rebuildIndex(
  options: { readonly address: string; readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const stream = client.runs.rebuildIndex({ reason: options.reason }, callMetadata());
  let told = -1;
  await new Promise<void>((resolve, reject) => {
    stream.on("data", ({ partitions, done }: RebuildIndexResponse) => {
      const percent = done ? 100 : percentOf(partitions);
      if (percent < told + 10 && !done) return;
      told = percent;
      terminal.err(`${percent} % of the log is in the index\n`);
    });
    stream.on("error", (error: ServiceError) => reject(toCliFailure(error, options.address)));
    stream.on("end", resolve);
  });
}

function percentOf(partitions: readonly IndexedPartition[]): number {
  const position = partitions.reduce((sum, one) => sum + Number(one.position), 0);
  const head = partitions.reduce((sum, one) => sum + Number(one.head), 0);
  return head === 0 ? 0 : Math.min(99, Math.floor((100 * position) / head));
}
