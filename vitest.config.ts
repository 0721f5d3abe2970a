import { defineConfig } from "vitest/config";
import { suitesLeftOut } from "./scripts/suites.ts";

if (Number(process.versions.node.split(".")[0]) < 24) {
  throw new Error(
    `Tests need Node 24, this is ${process.version}: npm test, or PATH=node_modules/.bin:$PATH vitest run <path>`,
  );
}

const exclude = ["**/node_modules/**", "**/dist/**", "**/.*/**", ...suitesLeftOut().map(({ suite }) => suite)];
// Suites that start several programs of ours run after the rest, two at a time: they wait more than they work, but more of them share two cores badly.
const crowded = ["test/e2e/**/*.test.ts", "test/chaos/**/*.test.ts", "examples/**/*.test.ts", "deploy/**/*.test.ts"];

export default defineConfig({
  test: {
    setupFiles: ["test/support/seed.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...exclude, ...crowded],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // Many of them wait for servers and clocks: one at a time leaves a core idle.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: crowded,
          exclude,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
