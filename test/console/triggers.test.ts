import { afterAll, beforeAll, expect, test } from "vitest";
import type { TriggerStack } from "../support/triggerStack.ts";
import { confirm, expectAccessible } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";
import { visitStack } from "./visitStack.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const flows = (input: string): string => `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Take(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = {
      trigger { name: "placed" subject { pattern: "orders.placed" type: "flows.v1.Placed" } input: '${input}' }
      step { id: "at" let { value: 'input.id' } } output: '{id: at}'
    };
  }
}
message Placed { string id = 1; int32 quantity = 2; }
`;
const placed = "flows.v1.Flows/Take/placed";
const hostile = '<img src=x onerror="owned()">';
let stack: TriggerStack;
let address: string;
let one: Visitor;

beforeAll(async () => {
  ({ stack, address, one } = await visitStack(closing, flows("{id: event.id, quantity: 10 / event.quantity}")));
}, 60_000);

const listening = async (): Promise<string> => (await stack.sidestep(address, "trigger", "list")).stdout;
const publish = (text: string): void =>
  stack.client.connection.publish("orders.placed", new TextEncoder().encode(text));

test("triggers are seen with what waits and is parked; paused, resumed; what is parked is read, retried and dropped", async () => {
  const { page } = one;
  await expect.poll(listening, { timeout: 20_000 }).toContain("active");
  await one.open("");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Triggers" }).click();
  const row = page.getByRole("row").filter({ hasText: "orders.placed" }).first();
  const cell = (at: number) => row.getByRole("cell").nth(at);
  await row.getByText("active").waitFor();

  await page.getByRole("button", { name: `Pause: ${placed}` }).click();
  await confirm(page, "Pause", "the quay is closed");
  await row.getByText("the quay is closed").waitFor();
  publish(JSON.stringify({ id: "a", quantity: 0 }));
  publish(hostile);
  await expect.poll(() => cell(3).textContent(), { timeout: 15_000 }).toBe("2");

  await page.getByRole("button", { name: `Resume: ${placed}` }).click();
  await confirm(page, "Resume");
  await page.getByRole("link", { name: `Parked messages: ${placed}` }).click({ timeout: 20_000 });
  const parked = page.getByRole("region", { name: "Parked messages" });
  const divided = parked.getByRole("row").filter({ hasText: "division by zero" });
  const garbage = parked.getByRole("row").filter({ hasText: "UNDECODABLE" });
  await divided.getByText('{"id":"a","quantity":0}').waitFor();
  await garbage.getByText(hostile).waitFor();
  expect(await cell(3).textContent()).toBe("0");
  await expectAccessible(page, "triggers");

  await garbage.getByRole("button", { name: /^Drop/ }).click();
  await confirm(page, "Drop", "nobody sends such a thing");
  await garbage.waitFor({ state: "detached" });

  // What can't be taken still stays; by another version it can.
  await parked.getByRole("button", { name: "Retry: all" }).click();
  await confirm(page, "Retry");
  await page.getByText("1 parked still.").waitFor();
  await divided.getByText("tried 2 times").waitFor();
  await stack.deploy(address, flows("{id: event.id, quantity: 1}"));
  await divided.getByRole("button", { name: /^Retry/ }).click();
  await confirm(page, "Retry", "nothing is divided any more");
  await page.getByText("1 started.").waitFor();
  await parked.getByText("Nothing is parked").waitFor();
  expect(await stack.starts()).toHaveLength(1);
  expect(one.troubles).toEqual([]);
}, 60_000);
