import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { runHere } from "./testing.ts";
import { buildImage } from "./buildImage.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-body-"));
  await mkdir(path.join(folder, "a/v1"), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const proto = (option: string) => `syntax = "proto3";
package a.v1;
import "sidestep/v1/workflow.proto";
service Pay {
  rpc Charge(Request) returns (Response);
}
service Orders {
  rpc Place(Request) returns (Response) {
    option (sidestep.v1.workflow) = {
      ${option}
    };
  }
}
message Request { string id = 1; int64 units = 2; repeated string tags = 3; }
message Response { string id = 1; }
`;

const inline = `key: 'input.id' timeout: "1h" saga: PARALLEL
      step {
        id: "charge"
        when: 'input.units > 0 && input.id != "x"'
        call {
          method: "a.v1.Pay/Charge"
          request: '{id: input.id, units: input.units}'
          retry { max_attempts: 3 on: [UNAVAILABLE, ABORTED] }
          on_doubt: RETRY
        }
        compensate {}
      }
      step { when: 'false' fail { code: FAILED_PRECONDITION message: '"no"' } }
      output: '{id: input.id}'`;

const yaml = `# The same in YAML.
key: input.id
timeout: 1h
saga: PARALLEL
step:
  - id: charge
    when: input.units > 0 && input.id != "x"
    call:
      method: a.v1.Pay/Charge
      request: "{id: input.id, units: input.units}"
      retry:
        max_attempts: 3
        on: [UNAVAILABLE, ABORTED]
      on_doubt: RETRY
    compensate: {}
  - when: "false"
    fail: { code: FAILED_PRECONDITION, message: '"no"' }
output: "{id: input.id}"
`;

const textFormat = `# The same in the text format. # twice
${inline.replace("      step {\n", "      step { # it's a comment\n")}
`;

async function write(option: string, name = "", body = ""): Promise<void> {
  await writeFile(path.join(folder, "a/v1/a.proto"), proto(option));
  if (name !== "") await writeFile(path.join(folder, "a/v1", name), body);
}

async function contentOf(): Promise<string> {
  const built = await buildImage(folder);
  if (built.kind !== "built") throw new Error(JSON.stringify(built));
  const { workflows, diagnostics } = compileImage(built.image);
  if (workflows[0] === undefined) throw new Error(JSON.stringify(diagnostics));
  return Buffer.from(workflows[0].contentPreimage).toString("hex");
}

test("a body in YAML, in the text format and in the option itself are the same content", async () => {
  await write(inline);
  const expected = await contentOf();
  await write('body_file: "place.yaml"', "place.yaml", yaml);
  expect(await contentOf()).toBe(expected);
  await write('body_file: "place.txtpb"', "place.txtpb", textFormat);
  expect(await contentOf()).toBe(expected);
});

test.each([
  ["place.yaml", yaml, "input.units > 0", "input.unit > 0", 7, 17],
  ["place.yaml", yaml, 'units: input.units}"', 'units: input.unit}"', 10, 45],
  ["place.yaml", yaml, "a.v1.Pay/Charge", "a.v1.Pay/Chargo", 9, 24],
  ["place.yaml", yaml, "max_attempts", "max_atempts", 12, 9],
  ["place.txtpb", textFormat, "input.units > 0", "input.unit > 0", 5, 22],
])("what is wrong in %s is told at its place there", async (name, body, right, mistake, line, column) => {
  expect(body).toContain(right);
  await write(`body_file: "${name}"`, name, body.replace(right, mistake));
  const { code, stdout } = await runHere(["check", folder]);
  expect(code).toBe(10);
  expect(stdout).toMatch(new RegExp(`${name}:${line}:${column}: error: `));
  expect(stdout).toContain(mistake.slice(0, 12));
});

test("what stands behind a body is told at its own line, and a file that is missing or no YAML as well", async () => {
  await write('body_file: "place.yaml" output: "input.nothing"', "place.yaml", yaml.replace(/output.*\n/, ""));
  expect((await runHere(["check", folder])).stdout).toMatch(/a\.proto:10:\d+: error: .*nothing/);
  await write('body_file: "none.yaml"');
  expect((await runHere(["check", folder])).stdout).toMatch(/a\.proto:10:7: error: there is no file a\/v1\/none\.yaml/);
  await write('body_file: "place.yaml"', "place.yaml", "step:\n  - id: [");
  expect((await runHere(["check", folder])).stdout).toMatch(/place\.yaml:\d+:\d+: error: /);
});
