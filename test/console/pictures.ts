// npm run pictures: the pictures of the console in docs/pictures, made from a live system.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { startBrowser } from "../support/browser.ts";
import { repositoryRoot } from "../support/program.ts";
import { play, startConsoleStage } from "./stage.ts";
import type { Cast } from "./stage.ts";
import { visit } from "./visitor.ts";

const folder = path.join(repositoryRoot, "docs/pictures");

/** Name, theme and address of each picture. */
const pictures = (cast: Cast): readonly (readonly [string, "light" | "dark", string])[] => [
  ["overview", "light", ""],
  ["runs", "light", "runs"],
  ["run", "light", `runs/${cast.waiting}`],
  ["run-dark", "dark", `runs/${cast.shipped}`],
  ["incident", "light", `runs/${cast.incident}?step=ship`],
  ["timeline", "dark", `runs/${cast.waiting}?view=timeline`],
  ["workflow", "dark", "workflows/tour.v1.TourWorkflow/Visit?step=ticket"],
];

await using stage = await startConsoleStage();
await using open = await startBrowser();
const cast = await play(stage);
await mkdir(folder, { recursive: true });
for (const [name, theme, at] of pictures(cast)) {
  await using one = await visit(open.browser, stage.url, theme);
  await one.open(at);
  // What comes besides the page itself: counts, what the run waits for.
  await one.page.waitForTimeout(800);
  await one.page.screenshot({ path: path.join(folder, `${name}.png`) });
  process.stdout.write(`docs/pictures/${name}.png\n`);
}
