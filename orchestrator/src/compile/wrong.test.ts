import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { codes } from "./codes.ts";
import { compileImage } from "./compileImage.ts";
import { diagnosticText } from "./diagnosticText.ts";
import { allFeatures } from "./feature.ts";
import { defaultCompileLimits } from "./limits.ts";
import { buildModules, repository } from "./testing.ts";

// Each testdata/wrong/<name>.proto is one story; <name>.txt is all that the check says about it.
const folder = path.join(repository, "orchestrator/src/compile/testdata/wrong");
const names = readdirSync(folder).filter((file) => file.endsWith(".proto"));
const sources = new Map(names.map((name) => [name, readFileSync(path.join(folder, name), "utf8")]));
const modules = ["orchestrator/src/compile/testdata/contract", "orchestrator/src/compile/testdata/wrong"];
const image = buildModules(modules);
const limits = { ...defaultCompileLimits, diagnosticsMax: 1000 };
const features = allFeatures;
const found = compileImage(image, { sources, limits, features });

describe("a wrong definition", () => {
  it.each(names)("%s is told with line, column, code and hint", async (name) => {
    const mine = found.diagnostics.filter((diagnostic) => diagnostic.file === name);
    expect(mine.length).toBeGreaterThan(0);
    const text = mine.map((diagnostic) => diagnosticText(diagnostic, { sources })).join("\n\n");
    await expect(`${text}\n`).toMatchFileSnapshot(path.join(folder, name.replace(".proto", ".txt")));
  });

  it("is told with a remedy, whatever is wrong", () => {
    expect(found.diagnostics.filter(({ hint }) => hint === "").map(({ file, message }) => [file, message])).toEqual([]);
  });

  it("yields no plan, not even for the workflows beside it", () => {
    expect(found.workflows).toEqual([]);
  });

  it("is told at its path where there are no sources", () => {
    const without = compileImage(image, { limits, features }).diagnostics;
    expect(without.map((one) => one.message).toSorted()).toEqual(
      found.diagnostics.map((one) => one.message).toSorted(),
    );
    for (const one of without) expect(one).toMatchObject({ line: 0, column: 0 });
    const first = without.find((one) => one.file === "unknown_method.proto");
    expect(first?.path).toBe("wrong.unknown_method.Orders/Place step[0].call.method");
    expect(first === undefined ? "" : diagnosticText(first)).toBe(
      [
        "unknown_method.proto: wrong.unknown_method.Orders/Place step[0].call.method: error: " +
          "service contract.v1.Stock has no method 'Resrve' [SIDESTEP1102]",
        "  hint: did you mean 'Reserve'? (its methods: Release, Reserve, Upload, Watch)",
      ].join("\n"),
    );
  });

  it("is told at its step where only the image's own source info is known", () => {
    const withInfo = compileImage(buildModules(modules, []), { limits, features });
    const positions = withInfo.diagnostics
      .filter((one) => one.file === "later_step.proto")
      .map(({ line, path: place }) => [line, place]);
    expect(positions).toEqual([
      [12, "wrong.later_step.Orders/Place step[0].let.value"],
      [14, "wrong.later_step.Orders/Place step[2].let.value"],
      [16, "wrong.later_step.Orders/Place step[4].let.value"],
    ]);
  });

  it("is told up to a bound", () => {
    const few = compileImage(image, { features, limits: { ...defaultCompileLimits, diagnosticsMax: 3 } });
    expect(few.diagnostics.map((one) => one.code).slice(0, 3)).not.toContain("SIDESTEP1307");
    const kept = few.diagnostics.slice(0, -1);
    expect(kept.filter(({ severity }) => severity === Diagnostic_Severity.ERROR).length).toBe(3);
    expect(kept.length).toBe(6);
    expect(few.diagnostics.at(-1)).toMatchObject({
      message: `${found.diagnostics.length - 6} more findings are left out`,
      hint: "correct these first",
    });
  });
});

describe("codes", () => {
  it("each have an entry in docs/errors.md, and nothing else has", () => {
    const page = readFileSync(path.join(repository, "docs/errors.md"), "utf8");
    const documented = [...page.matchAll(/^\| (SIDESTEP1\d{3})\b/gm)].map(([, code]) => code ?? "");
    expect(documented.toSorted()).toEqual(
      Object.values(codes)
        .map(({ code }) => code)
        .toSorted(),
    );
  });

  it("are each used once, and all that a definition can earn are earned here", () => {
    const all = Object.values(codes).map(({ code }) => code);
    expect(new Set(all).size).toBe(all.length);
    const earned = new Set(found.diagnostics.map((one) => one.code));
    const elsewhere = ["IMAGE", "IMAGE_LIMIT", "OPTION", "SCHEMA", "SOURCES"] as const;
    const rest = all.filter((code) => !earned.has(code) && !elsewhere.some((name) => codes[name].code === code));
    expect(rest).toEqual([]);
  });
});
