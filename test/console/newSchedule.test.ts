import { afterAll, beforeAll, expect, test } from "vitest";
import type { Locator } from "playwright-core";
import type { TriggerStack } from "../support/triggerStack.ts";
import { expectAccessible } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";
import { visitStack } from "./visitStack.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const flows = `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Count(Stock) returns (Stock) {
    option (sidestep.v1.workflow) = { step { id: "at" let { value: 'input.shelf' } } output: '{shelf: at}' };
  }
  rpc Sweep(Floor) returns (Floor) {
    option (sidestep.v1.workflow) = { step { id: "at" let { value: 'input.room' } } output: '{room: at}' };
  }
}
message Stock { string shelf = 1; int32 rows = 2; }
message Floor { string room = 1; }
`;
let stack: TriggerStack;
let address: string;
let one: Visitor;

beforeAll(async () => {
  ({ stack, address, one } = await visitStack(closing, flows));
}, 60_000);

const inSight = (what: Locator): Promise<boolean> =>
  what.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= element.ownerDocument.documentElement.clientHeight;
  });
const described = async (id: string) =>
  JSON.parse((await stack.sidestep(address, "schedule", "describe", id, "-o", "json")).stdout).schedule;

test("a schedule is made by a form: its times, its zone, its overlap, and a request of the workflow's own type", async () => {
  const { page } = one;
  await one.open("schedules");
  await page.getByText("There are no schedules").waitFor();
  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog");
  const create = dialog.getByRole("button", { name: "Create schedule", exact: true });
  await dialog.getByLabel("Name").fill("nightly");
  await dialog.getByLabel("Workflow").selectOption("flows.v1.Flows/Sweep");
  await dialog.getByLabel("room").fill("hall");
  // Another workflow has another request: nothing of the first one is left.
  await dialog.getByLabel("Workflow").selectOption("flows.v1.Flows/Count");
  await dialog.getByLabel("shelf").fill("B4");
  await dialog.getByRole("button", { name: "As JSON" }).click();
  const json = dialog.getByLabel("flows.v1.Stock as JSON");
  expect(JSON.parse(await json.inputValue())).toEqual({ shelf: "B4" });
  await json.fill('{"shelf": "B4", "rows": "many"}');
  await dialog.getByText(/rows/).last().waitFor();
  expect(await create.isDisabled()).toBe(true);
  await json.fill('{"shelf": "B4", "rows": 3}');
  await dialog.getByLabel("Cron line").fill("30 2 * * nonday");
  await dialog.getByLabel("Time zone").fill("Europe/Berlin");
  await dialog.getByLabel("While the run before goes on").selectOption("cancel it, and start then");
  await dialog.getByLabel("Reason").fill("stocktaking");
  await expectAccessible(page, "a new schedule");
  await create.click();
  const wrong = dialog.getByRole("alert").getByText(/nonday/);
  await wrong.waitFor();
  // Below a form that is longer than the window nobody would see it.
  await expect.poll(() => inSight(wrong)).toBe(true);
  await dialog.getByLabel("Cron line").fill("30 2 * * mon-fri");
  await create.click();
  await page.getByText("nightly is made.").waitFor();
  await page.getByRole("row").filter({ hasText: "30 2 * * mon-fri Europe/Berlin" }).waitFor();
  expect(await described("nightly")).toMatchObject({
    workflow: "flows.v1.Flows/Count",
    cron: { line: "30 2 * * mon-fri", timeZone: "Europe/Berlin", overlap: "CANCEL_OTHER" },
    input: Buffer.from([0x0a, 2, ...Buffer.from("B4"), 0x10, 3]).toString("base64"),
  });
});

test("a schedule each so often starts runs", async () => {
  const { page } = one;
  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("often");
  await dialog.getByLabel("Workflow").selectOption("flows.v1.Flows/Sweep");
  await dialog.getByLabel("Times").selectOption("each so often");
  await dialog.getByLabel("Every").fill("1s");
  await dialog.getByLabel("room").fill("hall");
  await dialog.getByRole("button", { name: "Create schedule", exact: true }).click();
  const row = page.getByRole("row").filter({ hasText: "often" });
  await row.getByText("every 1s").waitFor();
  await row.getByText("started", { exact: true }).waitFor({ timeout: 20_000 });
  expect(one.troubles).toEqual([]);
});
