import { afterAll, beforeAll, expect, test } from "vitest";
import { findConsole } from "../../orchestrator/src/frontDoor.ts";
import { fakeDefinitions, fakeFront, openTestServer } from "../../orchestrator/src/grpc/testing.ts";
import { fittingRuns } from "../../orchestrator/src/compile/filter/bulkFilter.ts";
import { parseFilter } from "../../orchestrator/src/compile/filter/parseFilter.ts";
import { openRunStore } from "../../orchestrator/src/sql/store.ts";
import { makeRow } from "../../orchestrator/src/sql/testing.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { ensureConsole } from "../../scripts/bundle/console.ts";
import { startBrowser } from "../support/browser.ts";
import { visit } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const runs = 6_000;
let one: Visitor;

beforeAll(async () => {
  await ensureConsole();
  const store = closing.use(await openRunStore({ kind: "sqlite", file: "" }));
  const { epoch } = await store.cursor(0, { created: "", lastSequence: runs });
  const rows = Array.from({ length: runs }, (_, at) =>
    makeRow(at + 1, { state: Run_State.COMPLETED, endedMs: Date.parse("2026-01-02T00:00:00Z") }),
  );
  await store.write({ partition: 0, epoch, upTo: runs, rows });
  const server = closing.use(
    await openTestServer(fakeFront(), fakeDefinitions(new Uint8Array()), {
      consoleFolder: findConsole(),
      lists: {
        store,
        readFilter: parseFilter,
        fitting: fittingRuns,
        progress: () => [],
        ready: () => Promise.resolve(),
        rebuild: () => store.rebuild([0]),
        archived: () => Promise.resolve(undefined),
      },
    }),
  );
  const { browser } = closing.use(await startBrowser());
  one = closing.use(await visit(browser, `http://127.0.0.1:${server.port}`));
});

test("whoever jumps to the end of a long list reads that alone, and goes on from there in both ways", async () => {
  const { page } = one;
  const skips: number[] = [];
  page.on("request", (request) => {
    if (!request.url().includes("Runs/List?")) return;
    const asked = JSON.parse(request.postData() ?? "{}") as { readonly skip?: number };
    skips.push(asked.skip ?? 0);
  });
  const row = (key: string) => page.locator(".vrow").filter({ has: page.getByText(key, { exact: true }) });
  const scrollTo = (at: number): Promise<unknown> =>
    page.evaluate(`document.querySelector(".vlist").scrollTo(0, ${at * 40})`);
  await one.open("runs");
  await page.getByText("6,000 runs").waitFor();
  await row("o-6000").waitFor();
  const before = skips.length;
  await scrollTo(runs);
  await row("o-1").waitFor();
  expect(skips.slice(before)).toHaveLength(1);
  await page.getByRole("checkbox", { name: "Mark run" }).last().check();
  await page.getByText("1 marked").waitFor();
  await scrollTo(runs - 1_000);
  await row("o-990").waitFor();
  await scrollTo(3_000);
  await row("o-2990").waitFor();
  // Each time one reading, at the place that is looked at.
  expect(skips.slice(before).every((skip) => skip > 2_500)).toBe(true);
  expect(skips.slice(before).length).toBeLessThanOrEqual(3);
  await scrollTo(0);
  await row("o-6000").waitFor();
  await page.locator(".vrow .skeleton").first().waitFor({ state: "detached" });
  expect(one.troubles).toEqual([]);
});
