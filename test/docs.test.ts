import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compileImage } from "../orchestrator/src/compile/compileImage.ts";
import { Diagnostic_Severity } from "../proto/gen/sidestep/v1/diagnostic.ts";
import { repositoryRoot } from "./support/program.ts";

const guide = readFileSync(path.join(repositoryRoot, "docs/workflows.md"), "utf8");
const readme = readFileSync(path.join(repositoryRoot, "README.md"), "utf8");
const stepKinds = [...(/^\| kind \| does[\s\S]*?^$/m.exec(guide)?.[0] ?? "").matchAll(/^\| `(\w+)`/gm)].map(
  ([, kind = ""]) => kind,
);
const snippets = [...guide.matchAll(/^```proto workflow\n([\s\S]*?)^```$/gm)].map(([, body = ""]) => body);
const readmeRpc = /^```proto\n([\s\S]*?)^```$/m.exec(readme)?.[1] ?? "";
const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-docs-"));
cpSync(path.join(repositoryRoot, "examples/order/proto"), folder, { recursive: true });
cpSync(path.join(repositoryRoot, "proto/sidestep/v1"), path.join(folder, "sidestep/v1"), { recursive: true });
const order = path.join(folder, "shop/v1/order.proto");
const contract = readFileSync(order, "utf8");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the guide's snippets compile over the contracts of the example", () => {
  test("there are snippets to compile", () => {
    expect(snippets.length).toBeGreaterThanOrEqual(8);
  });

  test("every kind of step has one", () => {
    const lacking = stepKinds.filter((kind) => !snippets.some((body) => new RegExp(`\\b${kind}(:| \\{)`).test(body)));
    expect([stepKinds.length, lacking]).toEqual([16, []]);
  });

  test.each(snippets.map((body, index) => [index + 1, body] as const))("snippet %i of docs/workflows.md", (_, body) => {
    const output = /^(output|step \{ when.*return)/m.test(body) ? "" : "output: '{}'";
    const response = body.includes("yield:") ? "stream FulfilResponse" : "FulfilResponse";
    const rpc = `rpc Fulfil(FulfilRequest) returns (${response}) { option (sidestep.v1.workflow) = {\n${body}\n${output} }; }`;

    expect(diagnosticsOf(rpc)).toEqual([]);
  });

  test("the workflow in README.md", () => {
    expect(readmeRpc).toContain("rpc Fulfil");

    expect(diagnosticsOf(readmeRpc)).toEqual([]);
  });
});

function diagnosticsOf(rpc: string): readonly string[] {
  writeFileSync(
    order,
    contract.replace(/service OrderWorkflow \{[\s\S]*?\n\}\n/, `service OrderWorkflow {\n${rpc}\n}\n`),
  );
  const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
  const image = execFileSync(buf, ["build", ".", "-o", "-#format=binpb"], { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  const { diagnostics, workflows } = compileImage(image, {
    sources: new Map([["shop/v1/order.proto", readFileSync(order, "utf8")]]),
  });
  const told = diagnostics
    .filter(({ severity }) => severity === Diagnostic_Severity.ERROR)
    .map((it) => `${it.line}:${it.column} ${it.message} (${it.hint})`);
  return workflows.length === 1 || told.length > 0 ? told : ["no workflow was compiled"];
}
