import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import type { OpenBrowser } from "../support/browser.ts";
import { hostileTexts } from "../console/hostile.ts";
import { play, startConsoleStage } from "../console/stage.ts";
import type { Cast, ConsoleStage } from "../console/stage.ts";
import { confirm, drawn, expectAccessible, visit } from "../console/visitor.ts";
import type { Visitor } from "../console/visitor.ts";

let stage: ConsoleStage;
let cast: Cast;
let open: OpenBrowser;

beforeAll(async () => {
  [stage, open] = await Promise.all([startConsoleStage(), startBrowser()]);
  one = await visit(open.browser, stage.url);
  cast = await play(stage);
  // The parcels have used up their attempts.
  await until(async () => {
    const { groups } = await stage.call("sidestep.v1.Runs/ListIncidents", {});
    return Array.isArray(groups) && Number((groups as { readonly runs?: string }[])[0]?.runs ?? 0) === 2;
  });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}

/** One window for all tests: each begins at an address of its own. */
let one: Visitor;

const stateOf = async (runId: string): Promise<unknown> => {
  const { run } = await stage.call("sidestep.v1.Runs/Get", { runId });
  return (run as { readonly state: string }).state;
};

const chip = (page: Page, word: string) => page.locator("h1 .chip", { hasText: word });

test("every page is accessible in both themes, and none breaks", async () => {
  const { page } = one;
  const pages = [
    "",
    "runs",
    "runs?q=state+%3D%3D",
    `runs/${cast.waiting}`,
    `runs/${cast.incident}?step=ship`,
    `runs/${cast.declined}?view=timeline`,
    `runs/${cast.visited}?view=history`,
    `runs/${cast.shipped}?view=payloads`,
    `runs/${"0".repeat(32)}`,
    "workflows",
    "workflows/tour.v1.TourWorkflow/Visit?step=ticket",
    "workflows/shop.v1.OrderWorkflow/Fulfil?view=source",
    "workflows/shop.v1.OrderWorkflow/Fulfil?view=versions",
    "workflows/tour.v1.TourWorkflow/Parcel?view=steps",
    "schedules",
    "services",
    "incidents",
    "approvals",
    "audit",
    "audit?actor=nobody&outcome=REFUSED",
    "nowhere",
  ];
  await one.open("");
  for (const at of pages) {
    await one.go(at);
    await expectAccessible(page, at);
  }
  await one.open("workflows/tour.v1.TourWorkflow/Visit");
  await page.getByRole("button", { name: "Start a run" }).click();
  await page.getByRole("button", { name: "Add stops" }).click();
  await expectAccessible(page, "a form");
  expect(one.troubles).toEqual([]);
});

test("an incident is found, understood and repaired with another request, and the page follows", async () => {
  const { page } = one;
  await one.open("incidents");
  await page.getByRole("link", { name: "Show the 2 runs" }).click();
  await page.getByRole("cell", { name: "parcel-7" }).waitFor();
  await one.open(`runs/${cast.incident}`);
  await page.getByText("ship: ").waitFor();
  await page.getByRole("button", { name: /^Ship the parcel, call, incident/ }).click();
  // Three attempts, what they sent, and the expression beside what it gave.
  const panel = page.getByRole("complementary", { name: "Step ship" });
  await panel.getByText("FAILED_PRECONDITION").nth(2).waitFor();
  expect(await panel.getByLabel("value of request").textContent()).toContain('"address": "Moon base 3"');
  expect(await panel.getByLabel("shipping.v1.ShipRequest", { exact: true }).textContent()).toContain("parcel-7");
  expect(await panel.getByRole("link", { name: /^[0-9a-f]{32}$/ }).getAttribute("href")).toBe(
    `http://jaeger.example/trace/${cast.incident}`,
  );
  await page.getByRole("button", { name: "Patch" }).click();
  const dialog = page.getByRole("dialog");
  // It begins with what the last attempt sent.
  expect(await dialog.getByLabel("order_id").inputValue()).toBe("parcel-7");
  await dialog.getByLabel("address").fill("12 Harbour Street");
  await confirm(page, "Patch", "the customer has moved back");
  await chip(page, "completed").waitFor();
  await page.getByRole("button", { name: /^Ship the parcel, call, completed/ }).waitFor();
  expect(await stateOf(cast.incident)).toBe("COMPLETED");
  await page.getByRole("link", { name: "History" }).click();
  await page.getByText("the customer has moved back").first().waitFor();
  expect(one.troubles).toEqual([]);
});

test("a signal is given with its form, and the run ends before one's eyes", async () => {
  const { page } = one;
  await one.open(`runs/${cast.waiting}`);
  await page.getByText(/farewell: waits for signal farewell/).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Signal farewell" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The last that the visitor hears.").waitFor();
  await dialog.getByLabel("words").fill("so long");
  await dialog.getByRole("button", { name: "Signal farewell" }).click();
  await chip(page, "completed").waitFor();
  await page.getByRole("button", { name: /^farewell, signal, completed/ }).waitFor();
  await page.getByRole("button", { name: /^song, let, not taken/ }).waitFor();
  await one.open(`runs/${cast.waiting}?step=greeting`);
  await page.getByLabel("value of case 1").filter({ hasText: "false" }).waitFor();
  await page.getByLabel("value of case 2").filter({ hasText: "true" }).waitFor();
  expect(one.troubles).toEqual([]);
});

test("a run is paused, resumed, cancelled; what no longer fits its state is told", async () => {
  const { page } = one;
  const runId = await stage.start("tour.v1.TourWorkflow/Visit", { name: "edith", waits: true }, "edith");
  await one.open(`runs/${runId}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await confirm(page, "Pause");
  await page.getByRole("button", { name: "Resume" }).click();
  await confirm(page, "Resume");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  // Somebody else is quicker.
  await stage.call("sidestep.v1.Runs/Terminate", { runId, reason: "another operator" });
  await confirm(page, "Cancel the run");
  await page.getByRole("dialog").getByText("RUN_ENDED").waitFor();
  await page.keyboard.press("Escape");
  await chip(page, "terminated").waitFor();
  expect(await page.getByRole("button", { name: "Terminate" }).count()).toBe(0);
  // Another run goes on in its place.
  await one.open(`runs/${runId}?step=prepare`);
  await page.getByRole("button", { name: "Rerun from here" }).click();
  await confirm(page, "Rerun from here");
  await page.getByText("in place of").waitFor();
  await page.getByText(/farewell: waits for signal farewell/).waitFor();
});

test("a run is started by a form of all kinds of fields", async () => {
  const { page } = one;
  await one.open("workflows/tour.v1.TourWorkflow/Visit");
  await page.getByRole("button", { name: "Start a run" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("name", { exact: true }).fill("hedy");
  // What the .proto says of a field is its help.
  const mood = dialog.getByLabel("mood");
  await mood.and(page.locator("[aria-describedby]")).waitFor();
  for (const help of [
    "Decides how the visitor is greeted.",
    "Free words, by name.",
    "None is not the same as an empty one.",
  ])
    await dialog.getByText(help).waitFor();
  await mood.selectOption("MOOD_BRIGHT");
  await dialog.getByRole("button", { name: "Add stops" }).click();
  await dialog.getByLabel("place").fill("tower");
  await dialog.getByLabel("minutes").fill("many");
  await dialog
    .getByText(/minutes/)
    .last()
    .waitFor();
  expect(await dialog.getByRole("button", { name: "Start", exact: true }).isDisabled()).toBe(true);
  await dialog.getByLabel("minutes").fill("20");
  await dialog.getByRole("button", { name: "Add entry" }).click();
  await dialog.getByLabel("key", { exact: true }).fill("hat");
  await dialog.getByLabel("value").fill("red");
  await dialog.getByLabel("travel").selectOption("train");
  await dialog.getByLabel("train").last().fill("night train");
  await dialog.getByLabel("travel").selectOption("car");
  await dialog.getByLabel("car").check();
  await dialog.getByLabel("place").last().fill("harbour");
  await dialog.getByLabel("nickname").check();
  await dialog.getByRole("button", { name: "Add weights" }).click();
  await dialog.getByLabel("weights[0]", { exact: true }).fill("1.5");
  await dialog.getByLabel("arrival").fill("2027-01-31T10:00");
  await dialog.getByLabel("stay").fill("3600s");
  await dialog.getByLabel("distance").fill("9007199254740993");
  await dialog.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForURL(/\/runs\//);
  await drawn(page);
  await page.getByRole("link", { name: "Request and response" }).click();
  const told = JSON.parse((await page.locator("pre.code").first().textContent()) ?? "") as unknown;
  expect(told).toMatchObject({
    name: "hedy",
    mood: "MOOD_BRIGHT",
    stops: [{ place: "tower", minutes: 20 }],
    notes: { hat: "red" },
    car: { place: "harbour" },
    weights: [1.5],
    arrival: new Date("2027-01-31T10:00").toISOString().replace(".000", ""),
    nickname: "",
    stay: "3600s",
    distance: "9007199254740993",
  });
});

test("an approval is decided with its form", async () => {
  const { page } = one;
  await one.open("approvals");
  await page.getByRole("heading", { name: "expense of ada: punched cards" }).waitFor();
  await page.getByRole("button", { name: "Approve" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("What is paid; the claim may ask for more.").waitFor();
  await dialog.getByLabel("granted_cents").fill("80000");
  await dialog.getByLabel("Who decides").fill("grace");
  await dialog.getByRole("button", { name: "Approve" }).click();
  await dialog.getByText("NOT_AN_APPROVER").waitFor();
  await dialog.getByLabel("Who decides").fill("finance");
  await dialog.getByRole("button", { name: "Approve" }).click();
  await page.getByText("It was approved.").waitFor();
  await until(async () => (await stateOf(cast.approval)) === "COMPLETED");
  expect(one.troubles).toEqual([]);
});

test("runs are filtered with completion, kept as a view, shown in other columns, and ended in bulk", async () => {
  const { page } = one;
  for (const name of ["bulk-1", "bulk-2"]) await stage.start("tour.v1.TourWorkflow/Visit", { name, waits: true }, name);
  await one.open("runs");
  const filter = page.getByRole("combobox", { name: "Filter of runs" });
  await page.getByText(/^\d+ runs$/).waitFor();
  await page.keyboard.press("/");
  await filter.and(page.locator(":focus")).waitFor();
  await page.keyboard.type("ke");
  await page.keyboard.press("Tab");
  await page.keyboard.type('.startsWith("bulk-")');
  await page.keyboard.press("Enter");
  expect(await filter.inputValue()).toBe('key.startsWith("bulk-")');
  await page.getByText("2 runs", { exact: true }).waitFor();
  expect(new URL(page.url()).searchParams.get("q")).toBe('key.startsWith("bulk-")');
  await page.getByRole("button", { name: "Save as a view…" }).click();
  await page.getByLabel("Name of the view").fill("Bulk");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Bulk", exact: true, pressed: true }).waitFor();
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByLabel("mood (attribute)").check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("columnheader", { name: "mood" }).waitFor();
  // The list follows what happens, and says what each waits for.
  await page
    .getByText(/farewell: waits for signal farewell/)
    .nth(1)
    .waitFor();
  await stage.start("tour.v1.TourWorkflow/Visit", { name: "bulk-3", waits: true }, "bulk-3");
  await page.getByText("3 runs", { exact: true }).waitFor();
  await page
    .getByText(/farewell: waits for signal farewell/)
    .nth(2)
    .waitFor();
  await page.getByLabel("Mark all that are loaded").check();
  await page
    .getByRole("group", { name: "Actions on the marked runs" })
    .getByRole("button", { name: "Terminate" })
    .click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("It fits 3 runs").waitFor();
  await dialog.getByLabel("Reason").fill("the show is over");
  await dialog.getByLabel("Runs a second").fill("50");
  await dialog.getByRole("button", { name: "Terminate 3 runs" }).click();
  await page.getByText("3 done, 0 refused, of 3.").waitFor();
  await page.locator(".chip", { hasText: "terminated" }).nth(2).waitFor();
  // Whoever comes again finds how it went.
  await page.reload();
  await page.getByText("3 done, 0 refused, of 3.").waitFor();
  await page.getByRole("link", { name: "Close" }).click();
  await filter.fill("state == NOWHERE");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("INVALID_FILTER").waitFor();
  expect(one.troubles).toEqual([]);
});

test("a method is held and released", async () => {
  const { page } = one;
  await one.open("services");
  await page.getByRole("button", { name: "Hold shipping.v1.ShippingService/Label" }).click();
  await confirm(page, "Hold", "the printer is out of paper");
  await page.getByText(/the printer is out of paper/).waitFor();
  await page.getByRole("button", { name: "Release shipping.v1.ShippingService/Label" }).click();
  await confirm(page, "Release", "paper has come");
  await page.getByRole("button", { name: "Hold shipping.v1.ShippingService/Label" }).waitFor();
  expect(one.troubles).toEqual([]);
});

test("services are shown with what waits for them; a sidecar is drained and resumed", async () => {
  const { page } = one;
  await one.open("services");
  const shipping = page.getByRole("region", { name: "shipping.v1.ShippingService" });
  await shipping.getByText("1 of 1 sidecar serves").waitFor();
  const sidecar = page.getByRole("row").filter({ hasText: "shipping.v1.ShippingService" }).filter({ hasText: "Drain" });
  await sidecar.getByText("serving").waitFor();
  await sidecar.getByRole("button", { name: /^Drain / }).click();
  await confirm(page, "Drain", "the node is replaced");
  await page.getByText("the node is replaced").waitFor();
  await shipping.getByText("its sidecars take no calls").waitFor();
  await page.getByRole("button", { name: /^Resume / }).click();
  await confirm(page, "Resume", "the node is back");
  await shipping.getByText("1 of 1 sidecar serves").waitFor();
  await one.open("");
  await page.getByRole("heading", { name: "Calls by service" }).waitFor();
  expect(one.troubles).toEqual([]);
});

test("keys lead everywhere, and the theme stays as it was chosen", async () => {
  const { page } = one;
  await one.open("");
  await page.keyboard.press("g");
  await page.keyboard.press("w");
  await page.getByRole("heading", { name: "Workflows" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^Theme: system/ }).click();
  await page.getByRole("button", { name: /^Theme: light/ }).click();
  await page.reload();
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
});

test("sixty texts that would run somewhere else are shown as they are, wherever they come", async () => {
  expect(hostileTexts.length).toBeGreaterThanOrEqual(60);
  const notes = Object.fromEntries(hostileTexts.map((text, at) => [`${at} ${text}`, text]));
  const all = hostileTexts.join(" ");
  const name = `hostile ${hostileTexts[0]} ${hostileTexts[4]}`;
  const stops = hostileTexts.map((place) => ({ place, minutes: 1 }));
  const visitId = await stage.start("tour.v1.TourWorkflow/Visit", { name, stops, notes, waits: true }, name);
  const parcel = await stage.start(
    "tour.v1.TourWorkflow/Parcel",
    { parcelId: "hostile", address: `moon ${all}` },
    "hostile",
  );
  await until(async () => (await stateOf(parcel)) === "PAUSED");
  await stage.call("sidestep.v1.Runs/Pause", { runId: visitId, reason: all });
  const { page } = one;
  const pages = [
    "",
    "runs?columns=state,key,error,attributes.address",
    "incidents",
    "audit",
    `audit?actor=${encodeURIComponent(all)}&target=${encodeURIComponent(all)}`,
    ...["", "?view=timeline", "?view=history", "?view=payloads"].map((view) => `runs/${visitId}${view}`),
    `runs/${parcel}?step=ship`,
    `runs/${parcel}?view=history`,
  ];
  for (const at of pages) await one.go(at);
  await one.go(`runs/${visitId}?view=payloads`);
  const shown = JSON.parse((await page.locator("pre.code").first().textContent()) ?? "") as { readonly notes: unknown };
  expect(shown.notes).toEqual(notes);
  await one.open(`runs?q=${encodeURIComponent(all)}`);
  await one.open(`runs/${visitId}?view=history&find=${encodeURIComponent("<script>")}`);
  await one.open(`runs/${encodeURIComponent(hostileTexts[0] ?? "")}`);
  expect(one.troubles).toEqual([]);
});
