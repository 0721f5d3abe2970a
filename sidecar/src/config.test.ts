import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readConfiguration } from "../../runtime/src/configuration.ts";
import { contradictions, parseWanted, sidecarSettings, targetsOf } from "./config.ts";
import type { SidecarSettings } from "./config.ts";

function read(args: readonly string[]): SidecarSettings | readonly string[] {
  const reading = readConfiguration(sidecarSettings, { args, environment: {}, readFile: () => "{}" });
  if (reading.kind === "settings") return reading.settings;
  return reading.kind === "problems" ? reading.problems : ["help"];
}

const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/sidecar.md"), "utf8");
const commands = [...page.matchAll(/^sidestep sidecar (.*)$/gm)].map(([, line = ""]) => line);

test("the guide has commands to try", () => expect(commands.length).toBeGreaterThan(4));

test.each(commands)("the guide's `sidestep sidecar %s` is taken", (line) => {
  const settings = read(line.split(" "));
  expect(settings).toHaveProperty("service");
  expect("service" in settings && contradictions(settings)).toEqual([]);
});

test("an address that is no --service and half a key pair are told", () => {
  const settings = read(["--service", "a:1", "--service", "a:1", "--expose", "x.Y@b:2", "--tls-cert", "c"]);
  if (!("service" in settings)) throw new Error(settings.join());
  expect(targetsOf(settings).map((target) => target.text)).toEqual(["a:1"]);
  expect(contradictions(settings)).toEqual([
    "--tls-cert and --tls-key are needed together",
    "--expose x.Y@b:2 names an address that is no --service",
  ]);
});

test.each([
  ["a.B", { service: "a.B", target: undefined }],
  ["a.B@unix:/x", { service: "a.B", target: "unix:/x" }],
  ["a.B@", undefined],
  ["a.B@host", undefined],
  ["a..B", undefined],
  ["a/B", undefined],
])("%s as a service to expose", (text, expected) => expect(parseWanted(text)).toEqual(expected));
