import { globSync, readFileSync } from "node:fs";
import path from "node:path";

/** What a suite needs beyond npm's packages, by the file that it is or imports, directly or not. */
const needsByFile: Readonly<Record<string, string>> = {
  "test/support/nats.ts": "nats-server",
  "cli/src/dev/testing.ts": "nats-server",
  "test/e2e/examples.test.ts": "nats-server",
  "test/support/python.ts": "python",
  "test/support/ruby.ts": "ruby",
  "test/support/postgres.ts": "postgres",
  "test/support/browser.ts": "chromium",
  "test/support/promtool.ts": "promtool",
};

/** A suite that can't be run on this machine, and the first need that it lacks. */
export type SuiteLeftOut = { readonly suite: string; readonly need: string };

/** The suites that need what scripts/bootstrap.mjs could not provide; it names that in SIDESTEP_TEST_WITHOUT. */
export function suitesLeftOut(): readonly SuiteLeftOut[] {
  const missing = (process.env["SIDESTEP_TEST_WITHOUT"] ?? "").split(",").filter((need) => need !== "");
  if (missing.length === 0) return [];
  const suites = globSync("**/*.test.ts", { exclude: (name) => name === "node_modules" || name === "dist" });
  return suites.toSorted().flatMap((suite) => {
    const need = [...reachable(suite)].map((file) => needsByFile[file]).find((it) => it && missing.includes(it));
    return need === undefined ? [] : [{ suite, need }];
  });
}

/** A file and all it imports by relative paths. */
function reachable(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return seen;
  }
  for (const [, target = ""] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+\.ts)"/g)) {
    reachable(path.join(path.dirname(file), target), seen);
  }
  return seen;
}
