import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plantedBugs } from "./main.ts";
import { scenes } from "./scenes.ts";

test("every bug is planted into code that stands there once", () => {
  const missing = plantedBugs.filter((bug) => {
    if (bug.kind !== "source") return false;
    const text = readFileSync(new URL(`../../../${bug.file}`, import.meta.url), "utf8");
    return text.split(bug.find).length !== 2;
  });
  expect(missing.map(({ name }) => name)).toEqual([]);
});

test.each(scenes)("$name: nothing is wrong where no bug is planted", async ({ play }) => {
  expect(await play()).toEqual([]);
});

test("every planted bug is found", { timeout: 900_000 }, () => {
  const script = fileURLToPath(new URL("../main.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--bugs", "--quick"], { encoding: "utf8" });
  expect(`${stdout}${stderr}`).not.toContain("ESCAPED");
  expect(status, stderr).toBe(0);
});
