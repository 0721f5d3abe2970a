import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildImage } from "../../cli/src/buildImage.ts";
import { repositoryRoot } from "../support/program.ts";
import { cpuMicrosOfChildren } from "./accounting.ts";

// npm run bench -- check: a tree of 100 workflows, each in a file of its own with the services that it calls, through the command as it is
// shipped.
const workflows = 100;
const rounds = 3;

function protoOf(number: number): string {
  const name = `flow${number}.v1`;
  return `syntax = "proto3";
package ${name};
import "sidestep/v1/workflow.proto";
service Stock { rpc Reserve(Request) returns (Answer); rpc Release(Answer) returns (Answer); }
service Flow {
  rpc Run(Request) returns (Answer) {
    option (sidestep.v1.workflow) = {
      key: 'input.id'
      defaults { on_doubt: RETRY }
${Array.from({ length: 8 }, (_, index) => stepOf(name, index)).join("")}
      output: '{id: step0.id, total: step7.total, names: step3.names.filter(n, n != input.id)}'
    };
  }
}
message Request { string id = 1; repeated string names = 2; int64 total = 3; }
message Answer { string id = 1; repeated string names = 2; int64 total = 3; }
`;
}

function stepOf(name: string, index: number): string {
  const before = index === 0 ? "input" : `step${index - 1}`;
  return `      step {
        id: "step${index}"
        call {
          method: "${name}.Stock/Reserve"
          request: '{id: input.id + "-${index}", names: ${before}.names.map(n, n + "x"), total: ${before}.total + ${index}}'
        }
        compensate {
          call { method: "${name}.Stock/Release" request: '{id: has(steps.step${index}) ? step${index}.id : ""}' }
        }
      }
`;
}

const folder = await mkdtemp(path.join(tmpdir(), "sidestep-bench-"));
try {
  for (let number = 0; number < workflows; number++) {
    const inside = path.join(folder, `tree/flow${number}/v1`);
    await mkdir(inside, { recursive: true });
    await writeFile(path.join(inside, "flow.proto"), protoOf(number));
  }
  // Below the repository: from there the bundle finds buf.
  const bundles = path.join(repositoryRoot, `.cache/bench-${process.pid}`);
  try {
    runNode("scripts/build.ts", bundles);
    for (let round = 1; round <= rounds; round++) measureCommand(path.join(bundles, "sidestep.js"), round);
  } finally {
    await rm(bundles, { recursive: true, force: true });
  }
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
