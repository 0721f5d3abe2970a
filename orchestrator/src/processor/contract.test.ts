import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { repositoryRoot } from "../../../test/support/program.ts";
import { contractOf, parseImage } from "./contract.ts";

/** The contract that is shown of a.v1.A, whose file is given. */
async function contract(file: string): Promise<FileDescriptorSet> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-contract-"));
  try {
    await cp(
      path.join(repositoryRoot, "proto/sidestep/v1/workflow.proto"),
      path.join(folder, "sidestep/v1/workflow.proto"),
    );
    await writeFile(path.join(folder, "a.proto"), `syntax = "proto3";\npackage a.v1;\n${file}`);
    await writeFile(path.join(folder, "b.proto"), 'syntax = "proto3";\npackage b.v1;\nmessage B { string b = 1; }\n');
    const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
    await promisify(execFile)(buf, ["build", "-o", "image.binpb", "--as-file-descriptor-set"], { cwd: folder });
    const image = parseImage(await readFile(path.join(folder, "image.binpb")));
    expect(image).toBeDefined();
    return fromBinary(FileDescriptorSetSchema, image === undefined ? new Uint8Array() : contractOf(image, "a.v1.A"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const workflow = `option (sidestep.v1.workflow) = { step { id: "s" fail { code: ABORTED message: '"secret"' } } };`;

test("neither our options nor the import for them are shown; other options and imports are", async () => {
  const set = await contract(`
    import public "sidestep/v1/workflow.proto";
    import public "b.proto";
    service A {
      option (sidestep.v1.defaults) = { timeout: "9s" };
      option deprecated = true;
      rpc Do(b.v1.B) returns (b.v1.B) { option idempotency_level = IDEMPOTENT; ${workflow} }
    }`);
  expect(set.file.map(({ name, dependency, publicDependency }) => [name, dependency, publicDependency])).toEqual([
    ["b.proto", [], []],
    ["a.proto", ["b.proto"], [0]],
  ]);
  const service = createFileRegistry(set).getService("a.v1.A");
  expect([service?.deprecated, service?.methods[0]?.idempotency]).toEqual([true, 2]);
  const text = JSON.stringify(set, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  expect(text).not.toContain("unknown");
  expect(text).not.toContain("sourceCodeInfo");
});

test("the import stays where a message of ours is part of the contract", async () => {
  const set = await contract(`
    import "sidestep/v1/workflow.proto";
    message Answer { repeated sidestep.v1.Decision decisions = 1; }
    service A { rpc Do(Answer) returns (Answer) { ${workflow} } }`);
  expect(set.file.at(-1)?.dependency).toEqual(["sidestep/v1/workflow.proto"]);
  expect(createFileRegistry(set).getMessage("a.v1.Answer")?.fields[0]?.message?.typeName).toBe("sidestep.v1.Decision");
});

test("bytes that are no image are told apart from an empty one", () => {
  expect(parseImage(Uint8Array.of(1, 2, 3))).toBeUndefined();
  expect(parseImage(new Uint8Array())?.file).toEqual([]);
});
