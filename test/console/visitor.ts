import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { repositoryRoot } from "../support/program.ts";

const axe = readFileSync(path.join(repositoryRoot, "node_modules/axe-core/axe.min.js"), "utf8");

/** A person at the console, in a browser of their own. */
export interface Visitor extends AsyncDisposable {
  readonly page: Page;
  /** Opens a page of the console, and waits until it is drawn. */
  readonly open: (at: string) => Promise<void>;
  /** Goes to another page without loading the console again. */
  readonly go: (at: string) => Promise<void>;
  /** What broke in the page, or was refused by its policy. */
  readonly troubles: readonly string[];
}

/** Opens a browser window; `owned()` in it is noted as trouble. */
export async function visit(browser: Browser, url: string, theme: "light" | "dark" = "light"): Promise<Visitor> {
  const context: BrowserContext = await browser.newContext({
    colorScheme: theme,
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const troubles: string[] = [];
  await page.exposeFunction("owned", () => void troubles.push("a text was run"));
  page.on("pageerror", (error) => void troubles.push(error.message));
  page.on("dialog", (dialog) => void dialog.dismiss());
  page.on("console", (message) => {
    // Refused calls are answers; what the policy refuses is trouble.
    if (message.type() === "error" && !message.text().includes("Failed to load resource"))
      troubles.push(message.text());
  });
  const open = async (at: string): Promise<void> => {
    await page.goto(`${url}/console/${at}`);
    await drawn(page);
  };
  const debug = await context.newCDPSession(page);
  const go = async (at: string): Promise<void> => {
    const href = JSON.stringify(`/console/${at}`);
    await debug.send("Runtime.evaluate", {
      expression: `history.pushState(undefined, "", ${href}); dispatchEvent(new PopStateEvent("popstate"))`,
    });
    await drawn(page);
  };
  return { page, open, go, troubles, [Symbol.asyncDispose]: () => context.close() };
}

/** Resolves when nothing is on its way any more. */
export async function drawn(page: Page): Promise<void> {
  await page.locator("main h1, main .empty, main [role=alert]").first().waitFor();
  await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
}

/** Fills in the open dialog's reason, and says yes. */
export async function confirm(page: Page, action: string, reason = "as told"): Promise<void> {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: action, exact: true }).click();
}

/** Rules that hang on the theme. */
const coloursOnly = ["color-contrast", "link-in-text-block"];

/** No breach of WCAG A and AA, nor of axe's own best practice, in what is shown now, in both themes. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    // Everything else is the same in the dark.
    const only = colorScheme === "dark" ? { runOnly: { type: "rule", values: coloursOnly } } : {};
    expect(await breachesIn(page, only), `${where} (${colorScheme})`).toEqual([]);
  }
}

async function breachesIn(page: Page, only: object): Promise<unknown> {
  // One rule of axe's experimental ones is left out: a node of a graph is named by its whole name, where the picture has room for a part of it.
  const options = {
    ...only,
    resultTypes: ["violations"],
    rules: { "label-content-name-mismatch": { enabled: false } },
  };
  const shown = `found.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | "))`;
  // By the debugger, not as a script of the page: its policy refuses those.
  const session = await page.context().newCDPSession(page);
  const evaluate = async (expression: string): Promise<unknown> =>
    (await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
  if ((await evaluate("typeof axe")) === "undefined") await evaluate(`${axe}; undefined`);
  const found = await evaluate(
    `axe.run(document, ${JSON.stringify(options)}).then((found) => JSON.stringify(${shown}))`,
  );
  await session.detach();
  const breaches: unknown = JSON.parse(String(found));
  return breaches;
}
