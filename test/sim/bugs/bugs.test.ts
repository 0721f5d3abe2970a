import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("every planted bug is found", { timeout: 900_000 }, () => {
  const script = fileURLToPath(new URL("../main.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--bugs"], { encoding: "utf8" });
  expect(`${stdout}${stderr}`).not.toContain("ESCAPED");
  expect(status, stderr).toBe(0);
});
