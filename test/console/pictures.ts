// npm run pictures: the pictures of the console in docs/pictures, made from a live system.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { startBrowser } from "../support/browser.ts";
import { repositoryRoot } from "../support/program.ts";
import { play, startConsoleStage } from "./stage.ts";
import type { Cast } from "./stage.ts";
import { visit } from "./visitor.ts";

const folder = path.join(repositoryRoot, "docs/pictures");

/** Name, theme and address of each picture, and what comes last in it. */
const pictures = (cast: Cast): readonly (readonly [string, "light" | "dark", string, string])[] => [
  ["overview", "light", "", "Calls by service"],
  ["runs", "light", "runs", "waits for signal farewell"],
  ["run", "light", `runs/${cast.waiting}`, "waits for signal farewell"],
  ["run-dark", "dark", `runs/${cast.shipped}`, "ship"],
  ["incident", "light", `runs/${cast.incident}?step=ship`, "Attempts"],
  ["timeline", "dark", `runs/${cast.waiting}?view=timeline`, "farewell"],
  ["workflow", "dark", "workflows/tour.v1.TourWorkflow/Visit?step=ticket", "on_exhausted"],
];

await using stage = await startConsoleStage();
await using open = await startBrowser();
const cast = await play(stage);
await mkdir(folder, { recursive: true });
for (const [name, theme, at, last] of pictures(cast)) {
  await using one = await visit(open.browser, stage.url, theme);
  await one.open(at);
  await one.page.getByText(last).first().waitFor();
  // What comes besides: counts.
  await one.page.waitForTimeout(500);
  await one.page.screenshot({ path: path.join(folder, `${name}.png`) });
  process.stdout.write(`docs/pictures/${name}.png\n`);
}
