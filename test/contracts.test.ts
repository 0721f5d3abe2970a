import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot, runProgram } from "./support/program.ts";

const buf = path.join(repositoryRoot, "node_modules/.bin/buf");

/** A module with our contracts, each `edit` applied to the file it names; whoever opens it removes it. */
async function openCopy(
  edits: Readonly<Record<string, (text: string) => string>> = {},
): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-contracts-"));
  await cp(path.join(repositoryRoot, "proto/sidestep"), path.join(folder, "sidestep"), { recursive: true });
  await writeFile(path.join(folder, "buf.yaml"), "version: v2\nbreaking:\n  use: [FILE]\n");
  for (const [file, edit] of Object.entries(edits)) {
    const before = await readFile(path.join(folder, file), "utf8");
    const after = edit(before);
    expect(after).not.toBe(before);
    await writeFile(path.join(folder, file), after);
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

function breaking(folder: string, against: string): ReturnType<typeof runProgram> {
  return runProgram({ name: "buf breaking", command: buf, args: ["breaking", folder, "--against", against] });
}

test("a field of an event that changes its number is refused as breaking", async () => {
  await using before = await openCopy();
  await using after = await openCopy({
    "sidestep/internal/v1/event.proto": (text) => text.replace(/ = 1;/, " = 1999;"),
  });

  const same = await breaking(before.folder, before.folder);
  const changed = await breaking(after.folder, before.folder);

  expect(same).toMatchObject({ code: 0, lines: [] });
  expect(changed.code).toBe(100);
  expect(changed.stdout).toMatch(/event\.proto:\d+:\d+:/);
});

test("the contracts as they are extend those of the last release", async () => {
  const result = await breaking(path.join(repositoryRoot, "proto"), path.join(repositoryRoot, "proto/baseline.binpb"));
  expect(result.lines).toEqual([]);
  expect(result.code).toBe(0);
});
