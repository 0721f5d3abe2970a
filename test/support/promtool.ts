import { execFileSync } from "node:child_process";
import { ensurePromtool } from "../../scripts/promtool.mjs";

/** Runs promtool, found or fetched as `npm test` does; returns what it wrote. Throws what it found wrong. */
export function promtool(...args: readonly string[]): string {
  return execFileSync(ensurePromtool(), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
