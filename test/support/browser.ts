import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { ensureChromium } from "../../scripts/chromium.mjs";

/** A Chromium without a window, found or fetched as `npm test` does; leaving its scope ends it. */
export type OpenBrowser = AsyncDisposable & { readonly browser: Browser };

/** Starts it. */
export async function startBrowser(): Promise<OpenBrowser> {
  const browser = await chromium.launch({
    executablePath: ensureChromium(),
    // Containers have neither the namespaces of its sandbox nor a large /dev/shm.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
