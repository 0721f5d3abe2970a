import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { orchestratorSettings } from "../orchestrator/src/config.ts";
import { helpText, markdownTable, readConfiguration } from "../runtime/src/configuration.ts";
import type { SettingTable } from "../runtime/src/setting.ts";
import { sidecarSettings } from "../sidecar/src/config.ts";
import { repositoryRoot } from "./support/program.ts";

const tables: Readonly<Record<string, SettingTable>> = { sidecar: sidecarSettings, orchestrator: orchestratorSettings };
const file = path.join(repositoryRoot, "docs/configuration.md");
const page = readFileSync(file, "utf8");

test("docs/configuration.md has the tables of the settings as they are (vitest -u writes them)", async () => {
  const written = page.replaceAll(
    /(<!-- table: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => `${begin}${markdownTable(tables[name] ?? {})}${end}`,
  );
  await expect(written).toMatchFileSnapshot(file);
});

test.each(Object.entries(tables))(
  "each setting of the %s has names of its own and its sentence in the manual",
  (name, table) => {
    const settings = Object.values(table);
    for (const field of ["flag", "env"] as const) {
      expect(new Set(settings.map((setting) => setting[field])).size).toBe(settings.length);
    }
    const help = helpText(`sidestep ${name}`, "", table);
    for (const setting of settings) expect(help).toContain(setting.doc);
    for (const setting of settings) expect(setting.doc).toMatch(/\.$/);
  },
);

test.each([...page.matchAll(/```json (\w+)\n([\s\S]*?)```/g)].map(([, name = "", text = ""]) => [name, text]))(
  "the file for the %s in docs/configuration.md is taken",
  (name, text) => {
    const reading = readConfiguration(tables[name] ?? {}, {
      args: ["--config", "f"],
      environment: {},
      readFile: () => text,
    });
    expect(reading.kind === "problems" ? reading.problems : reading.kind).toBe("settings");
  },
);
