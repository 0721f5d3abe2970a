import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { contractFolder } from "./product.ts";

/** A folder of .proto files beside those of the benchmark; leaving the scope removes it. */
export interface MadeContract extends AsyncDisposable {
  readonly folder: string;
}

const workflowsAFile = 10;
const stepsOfMany = 8;

/** bench.v1.Thousand/Run: so many calls, one after the other. */
export function makeLongChain(steps: number): Promise<MadeContract> {
  return make({ "thousand.proto": [fileStart, "service Thousand {", chain("Run", steps), "}"].join("\n") });
}

/** So many workflows of eight calls. */
export function makeMany(workflows: number): Promise<MadeContract> {
  const files: Record<string, string> = {};
  for (let first = 0; first < workflows; first += workflowsAFile) {
    const numbers = Array.from({ length: Math.min(workflowsAFile, workflows - first) }, (_, i) => first + i);
    const rpcs = numbers.map((number) => chain(`Run${number}`, stepsOfMany));
    files[`many${first}.proto`] = [fileStart, `service Many${first} {`, ...rpcs, "}"].join("\n");
  }
  return make(files);
}

const fileStart = [
  'syntax = "proto3";',
  "package bench.v1;",
  'import "bench/v1/bench.proto";',
  'import "sidestep/v1/workflow.proto";',
].join("\n");

function chain(name: string, steps: number): string {
  const lines = Array.from({ length: steps }, (_, i) => {
    const text = i === 0 ? "input.text" : `s${i - 1}.text`;
    return `      step { id: "s${i}" call { method: "bench.v1.Echo/Say" request: '{text: ${text}}' } }`;
  });
  return [
    `  rpc ${name}(ChainRequest) returns (SayResponse) {`,
    "    option (sidestep.v1.workflow) = {",
    ...lines,
    "    };",
    "  }",
  ].join("\n");
}

async function make(files: Readonly<Record<string, string>>): Promise<MadeContract> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-bench-"));
  await cp(contractFolder, folder, { recursive: true });
  const inside = path.join(folder, "bench/v1");
  await mkdir(inside, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(inside, name), `${text}\n`);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
