import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createFileRegistry, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, expect, test } from "vitest";
import { Plan } from "../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../proto/gen/sidestep/v1/run.ts";
import { compileImage } from "../orchestrator/src/compile/compileImage.ts";
import { loadPlan } from "../orchestrator/src/engine/loadPlan.ts";
import { driveRun } from "./engine/driveRun.ts";
import { repositoryRoot } from "./support/program.ts";

// docs/patterns.md: each pattern with a snippet compiles over the example's contracts and runs to its end; the counts are those it claims.
const page = readFileSync(path.join(repositoryRoot, "docs/patterns.md"), "utf8");
const sections = [...page.matchAll(/^## (\d+)\. (.+)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm)].map(
  ([, number = "", name = "", body = ""]) => ({
    number: Number(number),
    name,
    snippet: /^```proto workflow\n([\s\S]*?)^```$/m.exec(body)?.[1],
  }),
);
const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-patterns-"));
cpSync(path.join(repositoryRoot, "examples/order/proto"), folder, { recursive: true });
cpSync(path.join(repositoryRoot, "proto/sidestep/v1"), path.join(folder, "sidestep/v1"), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The image with each snippet as a workflow of its own, built once. */
const image = buildAll();
const compiled = compileImage(image);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));

function buildAll(): Uint8Array {
  const order = path.join(folder, "shop/v1/order.proto");
  const contract = readFileSync(order, "utf8");
  const fulfil = `rpc Fulfil(FulfilRequest) returns (FulfilResponse) { option (sidestep.v1.workflow) = { step { let { value: '1' } } output: '{}' }; }`;
  const rpcs = sections.flatMap(({ number, snippet }) =>
    snippet === undefined
      ? []
      : [
          `rpc Pattern${number}(FulfilRequest) returns (FulfilResponse) { option (sidestep.v1.workflow) = {\n${snippet}${snippet.includes("return:") ? "" : "\noutput: '{}'"} }; }`,
        ],
  );
  const service = `service OrderWorkflow {\n${[fulfil, ...rpcs].join("\n")}\n}\n`;
  writeFileSync(order, contract.replace(/service OrderWorkflow \{[\s\S]*?\n\}\n/, service));
  const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
  return execFileSync(buf, ["build", ".", "-o", "-#format=binpb"], { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
}

function request(): Uint8Array {
  const type = registry.getMessage("shop.v1.FulfilRequest");
  if (type === undefined) throw new Error("the example has no FulfilRequest");
  const items = [
    { sku: "tea", quantity: 2 },
    { sku: "cup", quantity: 20 },
  ];
  return toBinary(type, fromJson(type, { orderId: "o-1", items, address: "Main Street 1" }));
}

test("all 43 patterns are told of, and counted right", () => {
  expect(sections.map(({ number }) => number)).toEqual(Array.from({ length: 43 }, (_, index) => index + 1));
  const said = sections.filter(({ snippet }) => snippet !== undefined).length;
  const count = /(\d+) of them can be said/.exec(page)?.[1];
  const lacking = /; (\d+) can't/.exec(page)?.[1];
  expect([Number(count), Number(lacking)]).toEqual([said, 43 - said]);
  for (const { name, snippet } of sections) expect(name.endsWith(": no")).toBe(snippet === undefined);
});

test("the table has each pattern, agrees with the snippets, and is added up right", () => {
  const rows = [...page.matchAll(/^\| (\d+) \| (.+)\|$/gm)].map(([, number = "", rest = ""]) => ({
    number: Number(number),
    cells: rest.split("|").map((cell) => cell.trim()),
  }));
  const [, totals = ""] = /^\| \| \*\*Together\*\* \| (.+) \|$/m.exec(page) ?? [];
  const counted = [1, 2, 3, 4].map((column) => {
    const marks = rows.map(({ cells }) => cells[column]?.charAt(0));
    return ["+", "±", "−"].map((mark) => `${marks.filter((one) => one === mark).length} ${mark}`).join(", ");
  });

  expect(rows.map(({ number, cells }) => `${number}. ${cells[0] ?? ""}`)).toEqual(
    sections.map(({ number, name }) => `${number}. ${name.replace(/: no$/, "")}`),
  );
  expect(rows.map(({ cells }) => cells[1] !== "−")).toEqual(sections.map(({ snippet }) => snippet !== undefined));
  expect(totals.split(" | ")).toEqual(counted);
  expect(/of its (\d+) snippets (\d+) are `±`, and (\d+) `\+`/.exec(page)?.slice(1)).toEqual(["32", "8", "24"]);
});

test("each rating of others has its source", () => {
  const defined = new Set([...page.matchAll(/^\[([a-z-]+)\]: https?:\/\/\S+$/gm)].map(([, name]) => name));
  const used = [...page.matchAll(/\]\[([a-z-]+)\]/g)].map(([, name]) => name);
  const ratings = [...page.matchAll(/^\| \d+ \|.*\| (.+) \| (.+) \|$/gm)].flatMap(([, asl = "", conductor = ""]) => [
    asl,
    conductor,
  ]);

  expect(ratings.length).toBe(86);
  expect(ratings.filter((rating) => !/\]\[[a-z-]+\]/.test(rating))).toEqual([]);
  expect(new Set(used)).toEqual(defined);
  expect(/^† .+$/m.test(page)).toBe(page.includes(" † |"));
});

test("no snippet is wrong", () => {
  const errors = compiled.diagnostics.filter(({ severity }) => severity === 1);
  expect(errors.map(({ path: where, message, hint }) => `${where}: ${message} (${hint})`)).toEqual([]);
});

test.each(sections.flatMap(({ number, name, snippet }) => (snippet === undefined ? [] : [[number, name] as const])))(
  "%i. %s runs to its end",
  (number) => {
    const workflow = compiled.workflows.find((one) => one.workflow.endsWith(`/Pattern${number}`));
    const plan = loadPlan(Plan.encode(workflow?.plan ?? Plan.create()).finish());
    const { state } = driveRun(plan, request());
    expect(state.ended?.state).toBe(Run_State.COMPLETED);
  },
);
