import { expect, test } from "vitest";
import { orchestratorSettings } from "../../../orchestrator/src/config.ts";
import type { SettingTable } from "../../../runtime/src/setting.ts";
import { usualLimits } from "./limits.ts";

test("runs of a sandbox have the bounds that an orchestrator gives them unless it is told others", () => {
  const settings: SettingTable = orchestratorSettings;
  const defaults = Object.keys(usualLimits).map((name) => [name, settings[name]?.absent]);
  expect(Object.fromEntries(defaults)).toEqual(usualLimits);
});
