// The gate of every change: format, lint, types, contracts, tests. `gate.ts test|check|lint|types|format [argument…]`.
// Ends with one plain line: N passed, N failed, N skipped.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { suitesLeftOut } from "./suites.ts";

type Check = { readonly name: string; readonly command: readonly string[] };
type Tally = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** Bundles of this run; tests that start programs of ours start these. dist/ belongs to `npm run build`. */
const bundles = path.resolve(`node_modules/.cache/sidestep-bundles-${process.pid}`);
process.once("exit", () => rmSync(bundles, { recursive: true, force: true }));

const checks: Readonly<Record<"lint" | "types" | "console" | "format" | "contracts" | "breaking" | "bundles", Check>> =
  {
    format: { name: "format", command: ["oxfmt", "--check"] },
    lint: { name: "lint", command: ["oxlint", "--deny-warnings"] },
    types: { name: "types", command: ["tsc", "-p", "."] },
    // It runs in a browser: other globals, and JSX.
    console: { name: "console types", command: ["tsc", "-p", "console"] },
    contracts: { name: "buf lint", command: ["buf", "lint"] },
    // Against the contracts of the last release, which are committed: a shallow clone has no history to compare with.
    breaking: { name: "buf breaking", command: ["buf", "breaking", "proto", "--against", "proto/baseline.binpb"] },
    bundles: { name: "bundles", command: ["node", "scripts/build.ts", bundles] },
  };
const gates: Readonly<Record<string, readonly Check[]>> = {
  test: Object.values(checks),
  check: [checks.format, checks.lint, checks.types, checks.console, checks.contracts, checks.breaking],
  lint: [checks.lint],
  types: [checks.types, checks.console],
  format: [checks.format],
};

const [gate = "test", ...options] = process.argv.slice(2);
const failOnSkip = options.includes("--fail-on-skip");
const tallies = [await runChecks(gates[gate] ?? [])];
if (gate === "test") tallies.push(await runTests(options.filter((arg) => arg !== "--fail-on-skip")));
const total = tallies.reduce(add);
process.exitCode = total.failed > 0 || (failOnSkip && total.skipped > 0) ? 1 : 0;
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);

function add(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

async function runChecks(wanted: readonly Check[]): Promise<Tally> {
  let failed = 0;
  for (const { name, command } of wanted) {
    const started = performance.now();
    const { code, output } = await runQuietly(command);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${name}: ${code === 0 ? "ok" : "FAILED"} (${seconds} s)\n${code === 0 ? "" : output}`);
    if (code !== 0) failed += 1;
  }
  return { passed: wanted.length - failed, failed, skipped: 0 };
}

/** Runs vitest; suites whose needs the machine can't meet are left out, with a line each, and counted as skipped. */
async function runTests(args: readonly string[]): Promise<Tally> {
  const leftOut = suitesLeftOut();
  for (const { suite, need } of leftOut)
    process.stdout.write(`skipped ${suite}: needs ${need}, which can't be had here\n`);
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-gate-"));
  const report = path.join(folder, "report.json");
  const code = await runLoudly([
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...args,
  ]);
  const tally = readReport(report, code);
  rmSync(folder, { recursive: true, force: true });
  return { ...tally, skipped: tally.skipped + leftOut.length };
}

type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

function readReport(file: string, code: number): Tally {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    process.stdout.write("vitest left no report\n");
    return { passed: 0, failed: 1, skipped: 0 };
  }
  for (const { name, assertionResults } of report.testResults) {
    const skipped = assertionResults.filter(
      ({ status }) => status === "skipped" || status === "pending" || status === "todo",
    );
    if (skipped.length > 0) {
      process.stdout.write(
        `skipped in ${path.relative(process.cwd(), name)}: ${skipped.map((it) => it.fullName).join("; ")}\n`,
      );
    }
  }
  // A suite that can't even be loaded has no failing test, and an error outside of any test fails the run alone.
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((it) => it.status === "failed"),
  ).length;
  const failed = report.numFailedTests + unloadable;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function runQuietly([command = "", ...args]: readonly string[]): Promise<{
  readonly code: number;
  readonly output: string;
}> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

function runLoudly([command = "", ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = existsSync(bundles) ? { ...process.env, SIDESTEP_BUNDLES: bundles } : process.env;
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], env });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
