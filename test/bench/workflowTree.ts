import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

/** Writes workflows of 8 steps below `folder`, each in a file of its own with the services that it calls: flow0.v1.Flow/Run and so on. */
export async function writeWorkflowTree(folder: string, workflows: number): Promise<void> {
  for (let number = 0; number < workflows; number++) {
    const inside = path.join(folder, `flow${number}/v1`);
    await mkdir(inside, { recursive: true });
    await writeFile(path.join(inside, "flow.proto"), protoOf(number));
  }
}

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
