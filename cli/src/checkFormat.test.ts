import { describe, expect, it } from "vitest";
import { codes } from "../../orchestrator/src/compile/codes.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { toGithub, toSarif } from "./checkFormat.ts";

const wrong: Diagnostic = {
  severity: Diagnostic_Severity.ERROR,
  code: codes.UNKNOWN_METHOD.code,
  message: "service a.B has no method 'C', 100%",
  hint: "did you mean 'D'?",
  file: "shop/v1/order one.proto",
  line: 12,
  column: 3,
  path: "shop.v1.Orders/Place step[0].call.method",
};
const lint: Diagnostic = {
  ...wrong,
  severity: Diagnostic_Severity.WARNING,
  code: codes.DEAD_ARM.code,
  line: 0,
  column: 0,
};
const whole: Diagnostic = { ...wrong, file: "", path: "", line: 0, column: 0, hint: "" };
const showFile = (file: string): string => `proto/${file}`;

describe("a check as SARIF", () => {
  const log = JSON.parse(toSarif([wrong, lint, whole], showFile));

  it("has what the schema of 2.1.0 requires, and nothing of another type", () => {
    expect(log.version).toBe("2.1.0");
    expect(log.runs).toHaveLength(1);
    const [{ tool, results, columnKind }] = log.runs;
    expect(columnKind).toBe("utf16CodeUnits");
    expect(typeof tool.driver.name).toBe("string");
    for (const rule of tool.driver.rules) {
      expect(rule.id).toMatch(/^SIDESTEP1\d{3}$/);
      expect(typeof rule.shortDescription.text).toBe("string");
      expect(typeof rule.help.text).toBe("string");
      expect(["error", "warning"]).toContain(rule.defaultConfiguration.level);
    }
    expect(new Set(tool.driver.rules.map((rule: { id: string }) => rule.id)).size).toBe(tool.driver.rules.length);
    for (const result of results) {
      expect(tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId);
      expect(["error", "warning"]).toContain(result.level);
      expect(result.message.text.length).toBeGreaterThan(0);
      for (const { physicalLocation } of result.locations) {
        if (physicalLocation === undefined) continue;
        expect(physicalLocation.artifactLocation.uri).not.toMatch(/[ \\]/);
        for (const value of Object.values(physicalLocation.region ?? {})) expect(value).toBeGreaterThanOrEqual(1);
      }
    }
  });

  it("has file, line, column, place and hint of each finding", () => {
    expect(log.runs[0].results).toMatchObject([
      {
        ruleId: "SIDESTEP1102",
        level: "error",
        message: { text: "service a.B has no method 'C', 100%\nhint: did you mean 'D'?" },
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: "proto/shop/v1/order%20one.proto" },
              region: { startLine: 12, startColumn: 3 },
            },
            logicalLocations: [{ fullyQualifiedName: "shop.v1.Orders/Place step[0].call.method" }],
          },
        ],
      },
      { ruleId: "SIDESTEP1502", level: "warning" },
      { ruleId: "SIDESTEP1102", locations: [{}] },
    ]);
    expect(log.runs[0].results[1].locations[0].physicalLocation.region).toBeUndefined();
  });
});

describe("a check for GitHub Actions", () => {
  it("is one command a finding, with what would end it escaped", () => {
    expect(toGithub([wrong, lint, whole], showFile).split("\n")).toEqual([
      "::error file=proto/shop/v1/order one.proto,line=12,col=3,title=SIDESTEP1102::service a.B has no method 'C', 100%25%0Ahint: did you mean 'D'?",
      "::warning file=proto/shop/v1/order one.proto,title=SIDESTEP1502::shop.v1.Orders/Place step[0].call.method: service a.B has no method 'C', 100%25%0Ahint: did you mean 'D'?",
      "::error title=SIDESTEP1102::service a.B has no method 'C', 100%25",
    ]);
  });
});
