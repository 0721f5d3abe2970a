import { ListHoldsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { HeldTarget, Target } from "../../proto/gen/sidestep/v1/runs.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

/** What is to be held or released: exactly one of them. */
export interface TargetOptions {
  readonly address: string;
  readonly workflow?: string;
  readonly method?: string;
  readonly service?: string;
}

/** Holds the calls of a target back. */
export async function addHold(options: TargetOptions & { readonly reason: string }, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const target = toTarget(options);
  await client.call(client.runs.hold.bind(client.runs), { target, reason: options.reason });
  terminal.err(`the ${nameOf(target)} is held: its calls wait until \`sidestep hold remove\`\n`);
}

/** Lets them go on. */
export async function removeHold(
  options: TargetOptions & { readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const target = toTarget(options);
  await client.call(client.runs.release.bind(client.runs), { target, reason: options.reason });
  terminal.err(`the ${nameOf(target)} is held no more\n`);
}

/** Prints what is held. */
export async function listHolds(
  options: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listHolds.bind(client.runs), {});
  printList(
    options.output,
    {
      type: "sidestep.v1.ListHoldsResponse",
      bytes: ListHoldsResponse.encode(answer).finish(),
      field: "held",
      items: answer.held,
      name: ({ target }) => target?.kind?.value ?? "",
      empty: "nothing is held",
      columns: [
        { heading: "KIND", cell: ({ target }) => target?.kind?.$case ?? "" },
        { heading: "NAME", cell: ({ target }) => target?.kind?.value ?? "" },
        ...timeColumn<HeldTarget>("SINCE", ({ since }) => since),
        { heading: "BY", cell: ({ actor }) => actor, only: "wide" },
        { heading: "REASON", cell: ({ reason }) => reason },
      ],
    },
    terminal,
  );
}

function toTarget({ workflow, method, service }: TargetOptions): Target {
  const given: NonNullable<Target["kind"]>[] = [];
  if (workflow !== undefined) given.push({ $case: "workflow", value: workflow });
  if (method !== undefined) given.push({ $case: "method", value: method });
  if (service !== undefined) given.push({ $case: "service", value: service });
  const [kind] = given;
  if (kind !== undefined && given.length === 1) return { kind };
  throw new CliFailure(
    exit.usage,
    "one target is wanted",
    "the options",
    "give one of --workflow, --method and --service",
  );
}

function nameOf({ kind }: Target): string {
  return kind === undefined ? "" : `${kind.$case} ${kind.value}`;
}
