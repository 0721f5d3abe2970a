import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { check } from "./check.ts";
import { repositoryRoot } from "../../test/support/program.ts";
import { parseProject } from "./dev/projectFile.ts";
import { exampleNames } from "./exampleNames.ts";
import { init } from "./init.ts";
import { ownProtoFolder, schemaFile } from "./ownProto.ts";

let folder = "";
let lines: string[] = [];
const out = (text: string): void => {
  lines.push(text);
};

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "sidestep-init-"));
  lines = [];
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("init", () => {
  it("writes a folder that check finds nothing wrong with", async () => {
    const fresh = path.join(folder, "made", "by", "init");
    expect(await init(fresh, { out })).toBe(0);
    expect(await check(fresh, { color: false, out })).toBe(0);
    expect(lines.slice(-2)).toEqual([
      "hello.v1.HelloWorkflow/Hello: 2 steps, calls greeting.v1.GreetingService/Greet",
      "1 workflow, nothing wrong",
    ]);
    const vendored = readFileSync(path.join(fresh, "proto", schemaFile), "utf8");
    expect(vendored).toBe(readFileSync(path.join(ownProtoFolder(), schemaFile), "utf8"));
  });

  it("writes a package with a test, by this installation's own packages", async () => {
    expect(await init(path.join(folder, "My flows!"), { out })).toBe(0);
    const files = readdirSync(path.join(folder, "My flows!"));
    expect(files).toEqual([".gitignore", "buf.yaml", "package.json", "proto", "sidestep.yaml", "test"]);
    const manifest = JSON.parse(readFileSync(path.join(folder, "My flows!", "package.json"), "utf8"));
    expect(manifest).toMatchObject({ name: "my-flows", scripts: { test: "vitest run" } });
    expect(manifest.devDependencies).toMatchObject({
      sidestep: `file:${path.join(repositoryRoot, "dist/package")}`,
      "@sidestep/testing": `file:${path.join(repositoryRoot, "testing")}`,
    });
  });

  it("leaves a package that is there as it is", async () => {
    writeFileSync(path.join(folder, "package.json"), "{}");
    expect(await init(folder, { out })).toBe(0);
    expect(readFileSync(path.join(folder, "package.json"), "utf8")).toBe("{}");
    expect(readdirSync(folder)).not.toContain("test");
  });

  it("overwrites nothing and writes nothing beside what exists", async () => {
    writeFileSync(path.join(folder, "buf.yaml"), "version: v1\n");
    mkdirSync(path.join(folder, "proto"));
    expect(await init(folder, { out })).toBe(1);
    expect(lines[0]).toBe("nothing written: buf.yaml exists already");
    expect(readFileSync(path.join(folder, "buf.yaml"), "utf8")).toBe("version: v1\n");
    expect(readdirSync(path.join(folder, "proto"))).toEqual([]);
  });

  it("leaves what git is told to ignore as it is", async () => {
    writeFileSync(path.join(folder, ".gitignore"), "mine\n");
    expect(await init(folder, { out })).toBe(0);
    expect(readFileSync(path.join(folder, ".gitignore"), "utf8")).toBe("mine\n");
  });

  it.each(exampleNames)("writes the example %s, which check finds nothing wrong with", async (example) => {
    expect(await init(folder, { example, out })).toBe(0);
    const files = ["package.json", "README.md", "sidestep.yaml", "buf.yaml", ".gitignore"];
    expect(readdirSync(folder)).toEqual(expect.arrayContaining([...files, "proto", "services", "test"]));
    expect(await check(folder, { color: false, out })).toBe(0);
    expect(lines.at(-1)).toBe("1 workflow, nothing wrong");
    expect(parseProject(readFileSync(path.join(folder, "sidestep.yaml"), "utf8")).kind).toBe("project");
    // Node runs TypeScript from 22.18 on only, and everything else takes 20.
    expect(readdirSync(folder, { recursive: true }).filter((file) => /\.[cm]?ts$/.test(String(file)))).toEqual([]);
  });

  it("says so when it can't write", async () => {
    writeFileSync(path.join(folder, "file"), "");
    expect(await init(path.join(folder, "file"), { out })).toBe(1);
    expect(lines[0]).toMatch(/^can't write: /);
    expect(lines[1]).toBe(`Where: ${path.join(folder, "file")}`);
  });
});
