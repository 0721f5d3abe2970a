import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildImage } from "../../cli/src/buildImage.ts";
import { repositoryRoot } from "../support/program.ts";
import { cpuMicrosOfChildren } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import { writeWorkflowTree } from "./workflowTree.ts";

// npm run bench -- check: a tree of 100 workflows, each in a file of its own with the services that it calls, through the command as it is
// shipped.
const workflows = 100;
const rounds = 3;

const folder = await mkdtemp(path.join(tmpdir(), "sidestep-bench-"));
try {
  await writeWorkflowTree(path.join(folder, "tree"), workflows);
  await using bundles = await buildBundles();
  for (let round = 1; round <= rounds; round++) measureCommand(bundles.file("sidestep"), round);
  await measureInside();
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** `sidestep check` as a process from cold: Node's start, buf and all. */
function measureCommand(bundle: string, round: number): void {
  const cpuBefore = cpuMicrosOfChildren(process.pid);
  const begun = performance.now();
  const told = runNode(bundle, "check", path.join(folder, "tree"));
  const ended = performance.now();
  const cpu = cpuMicrosOfChildren(process.pid) - cpuBefore;
  if (!told.endsWith(`${workflows} workflows, nothing wrong\n`))
    throw new Error(`the tree is wrong: ${told.slice(-500)}`);
  console.log(
    `check: ${workflows} workflows of 8 steps, the command from cold, round ${round}: ${seconds(begun, ended)} (${(cpu / 1_000_000).toFixed(2)} s of CPU)`,
  );
}

async function measureInside(): Promise<void> {
  const begun = performance.now();
  const built = await buildImage(path.join(folder, "tree"));
  if (built.kind !== "built") throw new Error(`the tree can't be built: ${JSON.stringify(built)}`);
  const builtAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const { workflows: plans, diagnostics } = compileImage(built.image, { sources: built.sources.texts });
  const checkedAt = performance.now();
  const cpu = process.cpuUsage(cpuBefore);
  if (plans.length !== workflows) throw new Error(`only ${plans.length} are right: ${diagnostics[0]?.message ?? ""}`);
  console.log(
    `check: of that buf ${seconds(begun, builtAt)}, types, scopes, plans and lints ${seconds(builtAt, checkedAt)} (${((cpu.user + cpu.system) / 1_000_000).toFixed(2)} s of CPU)`,
  );
}

function runNode(...args: readonly string[]): string {
  return execFileSync(process.execPath, args, { cwd: repositoryRoot, encoding: "utf8" });
}

function seconds(from: number, to: number): string {
  return `${((to - from) / 1000).toFixed(2)} s`;
}
