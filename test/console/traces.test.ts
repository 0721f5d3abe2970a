import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestProject } from "../../cli/src/dev/testing.ts";
import type { RunningDev, TestProject } from "../../cli/src/dev/testing.ts";
import { runHere } from "../../cli/src/testing.ts";
import { startBrowser } from "../support/browser.ts";
import type { OpenBrowser } from "../support/browser.ts";
import { expectAccessible, visit } from "./visitor.ts";

let project: TestProject;
let dev: RunningDev;
let opened: OpenBrowser;
let runId = "";

beforeAll(async () => {
  opened = await startBrowser();
  project = await openTestProject({ "sidestep.yaml": "stubs: [greeting.v1.GreetingService]\n" });
  dev = await project.dev();
  const request = JSON.stringify({ request_id: "shown", name: "Ada" });
  const given = ["hello.v1.HelloWorkflow/Hello", "--address", dev.address, "-d", request];
  const { stderr } = await runHere(["run", "exec", ...given]);
  runId = /[0-9a-f]{32}/.exec(stderr)?.[0] ?? "";
}, 120_000);

afterAll(async () => {
  await project[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

test("a run leads to its trace, whose spans open", async () => {
  await using visitor = await visit(opened.browser, `http://${dev.address}`);
  const { page } = visitor;
  await visitor.open(`runs/${runId}`);
  const href = await page.getByRole("link", { name: "trace", exact: true }).getAttribute("href");
  expect(href).toBe(`/console/traces/${runId}`);
  await visitor.open(`traces/${runId}`);
  const bars = page.locator(".timeline .bar");
  await expect.poll(() => bars.count(), { timeout: 20_000 }).toBeGreaterThanOrEqual(5);
  expect(await page.locator("h1").textContent()).toBe("hello.v1.HelloWorkflow/Hello");
  await bars.filter({ hasText: "greeting.v1.GreetingService/Greet" }).click();
  const details = page.getByRole("region", { name: "Span greeting.v1.GreetingService/Greet" });
  expect(await details.textContent()).toContain("stubs-sidecar");
  expect(await details.textContent()).toContain("rpc.status_code");
  expect(page.url()).toContain("?span=");
  await expectAccessible(page, "a trace");
  expect(visitor.troubles).toEqual([]);
});

test("the newest traces are listed, and lead to their pages", async () => {
  await using visitor = await visit(opened.browser, `http://${dev.address}`);
  await visitor.open("traces");
  await expectAccessible(visitor.page, "traces");
  await visitor.page.getByRole("link", { name: "hello.v1.HelloWorkflow/Hello" }).first().click();
  await visitor.page.locator(".timeline .bar").first().waitFor();
  expect(visitor.page.url()).toContain(`/console/traces/${runId}`);
  await visitor.open(`traces/${"0".repeat(32)}`);
  expect(await visitor.page.locator("h1").textContent()).toContain("Nothing of the trace");
  expect(visitor.troubles).toEqual([]);
});
