import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { version } from "./version.ts";

test("the version is that of package.json", () => {
  const file = readFileSync(path.resolve(import.meta.dirname, "../../package.json"), "utf8");
  expect(JSON.parse(file)).toMatchObject({ version });
});
