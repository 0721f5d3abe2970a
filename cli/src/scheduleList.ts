import { DescribeScheduleResponse, ListSchedulesResponse } from "../../proto/gen/sidestep/v1/schedules.ts";
import type { Schedule } from "../../proto/gen/sidestep/v1/schedules.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown, timeColumn } from "./listing.ts";
import { bytesToText } from "./messageJson.ts";
import { countsText, scheduleText, stateText, timesText } from "./scheduleText.ts";
import type { Terminal } from "./terminal.ts";
import { registryFor } from "./workflowRpc.ts";

/** Prints all schedules. */
export async function listSchedules(
  { address, output }: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const answer = await client.call(client.schedules.list.bind(client.schedules), {});
  printList(
    output,
    {
      type: "sidestep.v1.ListSchedulesResponse",
      bytes: ListSchedulesResponse.encode(answer).finish(),
      field: "schedules",
      items: answer.schedules,
      name: ({ scheduleId }) => scheduleId,
      empty: "there are no schedules: a `trigger { cron … }` makes one, and so does `sidestep schedule create`",
      columns: [
        { heading: "SCHEDULE", cell: ({ scheduleId }) => scheduleId },
        { heading: "TIMES", cell: timesText },
        { heading: "STATE", cell: stateText },
        ...timeColumn<Schedule>("NEXT", ({ nextAt }) => nextAt),
        ...timeColumn<Schedule>("LAST", ({ fired: [last] }) => last?.nominal),
        { heading: "WORKFLOW", cell: ({ workflow }) => workflow, only: "wide" },
        { heading: "COUNTS", cell: countsText },
      ],
    },
    terminal,
  );
}

/** Prints one. */
export async function describeSchedule(
  scheduleId: string,
  { address, output }: { readonly address: string; readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const answer = await client.call(client.schedules.describe.bind(client.schedules), { scheduleId });
  const bytes = DescribeScheduleResponse.encode(answer).finish();
  const text = async (): Promise<string> =>
    scheduleText(answer, await requestOf(client, answer.schedule), terminal.now());
  await printShown(output, { type: "sidestep.v1.DescribeScheduleResponse", bytes }, text, terminal);
}

/** The request of each run, where it is always the same. */
async function requestOf(client: FrontClient, schedule: Schedule | undefined): Promise<string> {
  if (schedule === undefined || schedule.trigger !== "" || schedule.requestType === "") return "";
  return bytesToText(await registryFor(client, schedule.workflow), schedule.requestType, schedule.input);
}
