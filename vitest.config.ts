import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";
import { suitesLeftOut } from "./scripts/suites.ts";

if (Number(process.versions.node.split(".")[0]) < 24) {
  throw new Error(
    `Tests need Node 24, this is ${process.version}: npm test, or PATH=node_modules/.bin:$PATH vitest run <path>`,
  );
}

const exclude = ["**/node_modules/**", "**/dist/**", "**/.*/**", ...suitesLeftOut().map(({ suite }) => suite)];
// Suites that start several programs of ours run after the rest, two at a time: they wait more than they work, but more of them share two cores badly.
const crowded = ["test/e2e/**/*.test.ts", "test/chaos/**/*.test.ts", "examples/**/*.test.ts", "deploy/**/*.test.ts"];

/** What takes longest of each project, what waits beside what works. One that begins last would leave a core idle until the end. */
const longest = [
  "test/sim/stack/stack.test.ts",
  "sidecar/src/outages.test.ts",
  "orchestrator/src/processor/rowWriter.test.ts",
  "test/sim/bugs/bugs.test.ts",
  "test/sim/model/model.test.ts",
  "cli/src/dev/dev.test.ts",
  "sidecar/src/discovery.test.ts",
  "orchestrator/src/processor/crash.test.ts",
  "orchestrator/src/processor/retentions.test.ts",
  "test/e2e/examples.test.ts",
  "test/chaos/chaos.test.ts",
  "test/e2e/schedules.test.ts",
  "test/e2e/console.test.ts",
  "test/e2e/trace.test.ts",
  "test/e2e/mesh.test.ts",
  "test/e2e/operator.test.ts",
  "test/e2e/tutorial.test.ts",
  "test/e2e/migrate.test.ts",
];

/** A fresh clone knows no durations, and would go by the size of the files. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort.call(this, files);
    const projects = [...new Set(sorted.map(({ project }) => project))];
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((file) => moduleId.endsWith(`/${file}`));
      return at < 0 ? longest.length : at;
    };
    return sorted.toSorted((a, b) => projects.indexOf(a.project) - projects.indexOf(b.project) || rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    setupFiles: ["test/support/seed.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...exclude, ...crowded],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // Many of them wait for servers and clocks: as many as there are cores leave one of them idle.
          maxWorkers: 3,
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
