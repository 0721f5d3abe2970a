import { afterAll, beforeAll, expect, test } from "vitest";
import { findConsole } from "../../orchestrator/src/frontDoor.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "../../orchestrator/src/grpc/testing.ts";
import { toSchedules } from "../../orchestrator/src/processor/schedules.ts";
import { fakeScheduleStore } from "../../orchestrator/src/processor/testing/schedules.ts";
import { Cron_Overlap as Overlap } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Schedule, Schedule_Kind as Kind } from "../../proto/gen/sidestep/internal/v1/schedule.ts";
import { ensureConsole } from "../../scripts/bundle/console.ts";
import { startBrowser } from "../support/browser.ts";
import { confirm, expectAccessible, visit } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const workflow = "shop.v1.StockWorkflow/Count";
const nightly = `${workflow}/nightly`;
const cron = { line: "30 2 * * *", timeZone: "Europe/Berlin", overlap: Overlap.BUFFER_ONE, catchUpMs: 3_600_000 };
const hostile = '<img src=x onerror="owned()">';
const store = fakeScheduleStore();
let one: Visitor;

beforeAll(async () => {
  await ensureConsole();
  const definitions = fakeDefinitions(new Uint8Array());
  definitions.set([makeEntry(workflow)]);
  const now = Date.now();
  const fired = [{ nominalMs: now - 60_000, atMs: now, runId: "", note: hostile, kind: Kind.FAILED }];
  const made = { workflow, cron, cursorMs: now };
  for (const schedule of [
    { ...made, id: nightly, trigger: "nightly", fired, counts: { failed: 1, started: 2_000 } },
    { ...made, id: "by-hand", paused: { actor: "ann", reason: "stocktaking", sinceMs: now } },
    { ...made, id: `${workflow}/gone`, trigger: "gone", retired: true },
  ])
    await store.write(Schedule.fromPartial(schedule), 0);
  const started = { kind: "come" as const, come: { kind: Kind.STARTED, runId: someRun, note: "" } };
  const schedules = toSchedules({
    store,
    workflows: definitions,
    start: () => Promise.resolve(started),
    now: Date.now,
  });
  const server = closing.use(
    await openTestServer(fakeFront(), definitions, { schedules, consoleFolder: findConsole() }),
  );
  const { browser } = closing.use(await startBrowser());
  one = closing.use(await visit(browser, `http://127.0.0.1:${server.port}`));
});

test("schedules are seen with their next and last times, paused, resumed, started by hand, backfilled and deleted", async () => {
  const { page } = one;
  await one.open("");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Schedules" }).click();
  const row = (name: string) => page.getByRole("row").filter({ hasText: name });
  await row("nightly").getByText("30 2 * * * Europe/Berlin").waitFor();
  await row("nightly").getByText("2,000 started").waitFor();
  await row("nightly").getByText(hostile).waitFor();
  await row("by-hand").getByText("stocktaking, by ann").waitFor();
  await row("gone").getByText("The contract has it no more.").waitFor();
  expect(await row("gone").getByRole("button").count()).toBe(0);
  await expectAccessible(page, "schedules");

  await page.getByRole("button", { name: `Pause: ${nightly}` }).click();
  await confirm(page, "Pause", "the quay is closed");
  await row("nightly").getByText("the quay is closed").waitFor();
  expect(store.heard(nightly)?.schedule.paused?.reason).toBe("the quay is closed");

  await page.getByRole("button", { name: "Resume: by-hand" }).click();
  await confirm(page, "Resume");
  await page.getByRole("button", { name: "Pause: by-hand" }).waitFor();
  expect(store.heard("by-hand")?.schedule.paused).toBeUndefined();

  await page.getByRole("button", { name: "Start now: by-hand" }).click();
  await confirm(page, "Start now");
  await row("by-hand")
    .getByRole("link", { name: `${someRun.slice(0, 8)}…` })
    .waitFor();
  expect(store.heard("by-hand")?.schedule).toMatchObject({ currentRunId: someRun, counts: { started: 1 } });

  // 30 2 * * * in Berlin: two nominal times, whatever the clock of the browser says.
  await page.getByRole("button", { name: `Backfill: ${nightly}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("From").fill("2026-03-02T12:00");
  await dialog.getByLabel("To").fill("2026-03-04T12:00");
  await expectAccessible(page, "a backfill");
  await confirm(page, "Backfill", "the quay was closed");
  await page.getByText("2 nominal times get their runs.").waitFor();
  expect(store.heard(nightly)?.schedule.backfills).toMatchObject([{ untilMs: new Date("2026-03-04T12:00").getTime() }]);

  expect(await page.getByRole("button", { name: `Delete: ${nightly}` }).count()).toBe(0);
  await page.getByRole("button", { name: "Delete: by-hand" }).click();
  await confirm(page, "Delete");
  await row("by-hand").waitFor({ state: "detached" });
  expect(one.troubles).toEqual([]);
});
