import { afterAll, beforeAll, expect, test } from "vitest";
import { startBrowser } from "../support/browser.ts";
import type { OpenBrowser } from "../support/browser.ts";
import { startConsoleStage } from "../console/stage.ts";
import type { ConsoleStage } from "../console/stage.ts";
import { confirm, visit } from "../console/visitor.ts";
import type { Visitor } from "../console/visitor.ts";

let stage: ConsoleStage;
let open: OpenBrowser;
let one: Visitor;

beforeAll(async () => {
  [stage, open] = await Promise.all([startConsoleStage(), startBrowser()]);
  one = await visit(open.browser, stage.url);
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

test("attributes that are declared are offered before there is a run", async () => {
  const { page } = one;
  await one.open("runs");
  await page.getByText("No run yet").waitFor();
  await page.getByRole("button", { name: "Columns" }).click();
  for (const name of ["mood", "guests"]) await page.getByLabel(`${name} (attribute)`).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("combobox", { name: "Filter of runs" }).pressSequentially("mo");
  await page.getByRole("option", { name: "attributes.mood" }).waitFor();
  expect(one.troubles).toEqual([]);
});

test("of a loop one sees what it carries and what its tests gave after its last pass", async () => {
  const { page } = one;
  const runId = await stage.start("tour.v1.TourWorkflow/Visit", { name: "emmy", waits: true }, "emmy");
  await one.open(`runs/${runId}?step=rounds`);
  await page.getByLabel("value of until").filter({ hasText: "true" }).waitFor();
  await page.getByLabel("value of carry minutes init").filter({ hasText: "0" }).waitFor();
  await page.getByLabel("value of carry minutes next").filter({ hasText: "40" }).waitFor();
  expect(one.troubles).toEqual([]);
});

test("on a phone no page is wider than the window", async () => {
  const { page } = one;
  const runId = await stage.start("tour.v1.TourWorkflow/Visit", { name: "x".repeat(90), waits: true }, "x".repeat(90));
  await page.setViewportSize({ width: 390, height: 844 });
  const pages = [
    "",
    "runs",
    ...["", "?view=timeline", "?view=history", "?view=payloads", "?step=rounds"].map((view) => `runs/${runId}${view}`),
    `runs/${"0".repeat(32)}`,
    "workflows",
    ...["graph", "source", "versions", "steps"].map((view) => `workflows/tour.v1.TourWorkflow/Visit?view=${view}`),
    "services",
    "incidents",
    "approvals",
    "audit",
  ];
  const wide: string[] = [];
  for (const at of pages) {
    await one.go(at);
    const more = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    if (more !== 0) wide.push(`${at} by ${String(more)}`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  expect(wide).toEqual([]);
});

test("who did what, why and with which outcome is in the audit, of a run from its page, and goes back page by page", async () => {
  const { page } = one;
  const runId = await stage.start("tour.v1.TourWorkflow/Visit", { name: "ada", waits: true }, "ada");
  await one.open("services");
  const label = "shipping.v1.ShippingService/Label";
  await page.getByRole("button", { name: `Hold ${label}` }).click();
  await confirm(page, "Hold", "out of paper");
  await page.getByRole("button", { name: `Release ${label}` }).click();
  await confirm(page, "Release", "paper has come");
  await one.open(`runs/${runId}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await confirm(page, "Pause", "the quay is closed");
  const call = (method: string, request: object): Promise<unknown> => stage.call(`sidestep.v1.Runs/${method}`, request);
  await expect(call("Retry", { runId, step: "greeting", reason: "once more" })).rejects.toThrow("NO_INCIDENT");
  await page.getByRole("link", { name: "audit", exact: true }).click();
  const row = (reason: string) => page.getByRole("row").filter({ hasText: reason });
  await row("once more").getByText("failed").waitFor();
  await row("the quay is closed").getByText("Pause").waitFor();
  expect(await page.getByRole("row").filter({ hasText: "paper has come" }).count()).toBe(0);
  await page.getByLabel("Outcome").selectOption("Failed");
  await page.getByRole("button", { name: "Filter" }).click();
  await row("the quay is closed").waitFor({ state: "detached" });
  await row("once more").waitFor();
  await page.getByRole("link", { name: "All" }).click();
  for (const reason of ["out of paper", "paper has come"]) await row(reason).waitFor();
  await page.getByLabel("Did").fill("Release");
  await page.keyboard.press("Enter");
  await row("out of paper").waitFor({ state: "detached" });
  await row("paper has come").getByText("done").waitFor();
  expect(new URL(page.url()).search).toBe("?method=Release");
  // More than a page.
  for (let at = 0; at < 101; at += 1)
    await call("Retry", { runId: runId, step: "greeting", reason: `again ${at}` }).catch(() => undefined);
  await page.getByRole("link", { name: "All" }).click();
  await row("again 100").waitFor();
  expect(await row("paper has come").count()).toBe(0);
  await page.getByRole("button", { name: "Older ones" }).click();
  await row("paper has come").waitFor();
  await row("again 100").waitFor();
  expect(one.troubles).toEqual([]);
});
