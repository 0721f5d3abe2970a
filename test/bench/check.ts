import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildImage } from "../../cli/src/buildImage.ts";

// npm run bench -- check: a tree of 100 workflows, each in a file of its own with the services that it calls, from cold. `build` is buf's
// work, `check` ours: types, scopes, plans, lints.
const workflows = 100;

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
    const inside = path.join(folder, `flow${number}/v1`);
    await mkdir(inside, { recursive: true });
    await writeFile(path.join(inside, "flow.proto"), protoOf(number));
  }
  const begun = performance.now();
  const built = await buildImage(folder);
  if (built.kind !== "built") throw new Error(`the tree can't be built: ${JSON.stringify(built)}`);
  const builtAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const { workflows: plans, diagnostics } = compileImage(built.image, { sources: built.sources.texts });
  const checkedAt = performance.now();
  const cpu = process.cpuUsage(cpuBefore);
  if (plans.length !== workflows) throw new Error(`only ${plans.length} are right: ${diagnostics[0]?.message ?? ""}`);
  const seconds = (from: number, to: number): string => `${((to - from) / 1000).toFixed(2)} s`;
  console.log(
    `check: ${workflows} workflows of 8 steps, cold: build ${seconds(begun, builtAt)}, check ${seconds(builtAt, checkedAt)} (${((cpu.user + cpu.system) / 1_000_000).toFixed(2)} s of CPU), both ${seconds(begun, checkedAt)}`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
