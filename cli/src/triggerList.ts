import { DescribeTriggerResponse, ListTriggersResponse } from "../../proto/gen/sidestep/v1/triggers.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown } from "./listing.ts";
import type { Terminal } from "./terminal.ts";
import { stateText, triggerText } from "./triggerText.ts";

/** Prints all triggers by subjects. */
export async function listTriggers(
  { address, output }: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const answer = await client.call(client.triggers.list.bind(client.triggers), {});
  printList(
    output,
    {
      type: "sidestep.v1.ListTriggersResponse",
      bytes: ListTriggersResponse.encode(answer).finish(),
      field: "triggers",
      items: answer.triggers,
      name: ({ triggerId }) => triggerId,
      empty: "there are no triggers by subjects: a `trigger { subject … }` of a workflow makes one",
      columns: [
        { heading: "TRIGGER", cell: ({ triggerId }) => triggerId },
        { heading: "SUBJECT", cell: ({ pattern }) => pattern },
        { heading: "TYPE", cell: ({ type }) => type, only: "wide" },
        { heading: "SIGNAL", cell: ({ signal }) => signal, only: "wide" },
        { heading: "STREAM", cell: ({ stream }) => stream },
        { heading: "WAITING", cell: ({ waiting, inHands }) => String(waiting + inHands) },
        { heading: "PARKED", cell: ({ parked }) => String(parked) },
        { heading: "STATE", cell: stateText },
      ],
    },
    terminal,
  );
}

/** Prints one. */
export async function describeTrigger(
  triggerId: string,
  { address, output }: { readonly address: string; readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const answer = await client.call(client.triggers.describe.bind(client.triggers), { triggerId });
  const bytes = DescribeTriggerResponse.encode(answer).finish();
  const text = (): Promise<string> => Promise.resolve(answer.trigger === undefined ? "" : triggerText(answer.trigger));
  await printShown(output, { type: "sidestep.v1.DescribeTriggerResponse", bytes }, text, terminal);
}
