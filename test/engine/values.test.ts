import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type { MethodDescriptorProto } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { diagnosticText } from "../../orchestrator/src/compile/diagnosticText.ts";
import { buildModules, errorsOf, extension } from "../../orchestrator/src/compile/testing.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Status_Code, Workflow } from "../../proto/gen/sidestep/v1/workflow.ts";
import type { DeepPartial } from "../../proto/gen/sidestep/v1/workflow.ts";
import { repositoryRoot } from "../support/program.ts";
import { containerRows } from "./data/containerRows.ts";
import { fieldRows } from "./data/fieldRows.ts";
import { knownRows } from "./data/knownRows.ts";
import type { DataRow } from "./data/row.ts";
import { syntaxRows } from "./data/syntaxRows.ts";
import { bytes, varint, wire } from "./data/wire.ts";
import { driveRun } from "./driveRun.ts";

// Each kind of data goes through a compiled workflow twice: whole, and read and built by expressions. What is built is judged by two readers
// that are not ours: that of the protobuf library, and that of buf, which is Go's.

const rows: readonly DataRow[] = [...fieldRows, ...containerRows, ...knownRows, ...syntaxRows];

const callee = (message: string): string => `data.v1.Store/${message}`;
const call = (id: string, message: string, request: string): NonNullable<DeepPartial<Workflow>["step"]> => [
  { id, kind: { $case: "call", value: { method: callee(message), request } } },
];

/** An answer goes to the next call and to the caller, and nobody looks at it. */
function wholeFlow({ message }: DataRow): DeepPartial<Workflow> {
  return { step: [...call("one", message, "input"), ...call("two", message, "one")], output: "two" };
}

/** An answer is read, and another message built of it. */
function partFlow({ message, reads, builds }: DataRow): DeepPartial<Workflow> {
  const fail = { code: Status_Code.FAILED_PRECONDITION, message: '"it reads otherwise"' };
  const read = { id: "otherwise", when: `!(${reads})`, kind: { $case: "fail" as const, value: fail } };
  return { step: [...call("one", message, "input"), read], output: builds };
}

/** Times of the input are attributes of the run. */
const attributedFlow: DeepPartial<Workflow> = {
  attribute: [
    { name: "at", value: "input.at" },
    { name: "first", value: "input.first" },
  ],
  step: call("one", "Time", "input"),
  output: "one",
};

function method(name: string, input: string, output: string, workflow?: DeepPartial<Workflow>): MethodDescriptorProto {
  const options = create(MethodOptionsSchema);
  if (workflow !== undefined) {
    options.$unknown = [extension(Workflow.encode(Workflow.fromPartial(workflow as Workflow)).finish())];
  }
  return {
    $typeName: "google.protobuf.MethodDescriptorProto",
    name,
    inputType: `.data.v1.${input}`,
    outputType: `.data.v1.${output}`,
    options,
    clientStreaming: false,
    serverStreaming: false,
  };
}

/** The contract with a service that has an rpc for each message, and the workflows. */
function makeImage(): Uint8Array {
  const contract = fromBinary(FileDescriptorSetSchema, buildModules(["test/engine/testdata/data"]));
  const messages = [...new Set(rows.map(({ message }) => message))];
  const made = create(FileDescriptorProtoSchema, {
    name: "data/v1/made.proto",
    package: "data.v1",
    syntax: "proto3",
    dependency: contract.file.map(({ name }) => name).filter((name) => name.startsWith("data/")),
    messageType: [
      {
        name: "Results",
        field: rows.map((row, at) => ({
          name: `r${at}`,
          jsonName: `r${at}`,
          number: at + 1,
          label: FieldDescriptorProto_Label.OPTIONAL,
          type: FieldDescriptorProto_Type.MESSAGE,
          typeName: `.data.v1.${row.into ?? row.message}`,
        })),
      },
    ],
    service: [
      { name: "Store", method: messages.map((message) => method(message, message, message)) },
      {
        name: "Flows",
        method: [
          method("Attributed", "Time", "Time", attributedFlow),
          ...rows.flatMap((row, at) => [
            method(`Whole${at}`, row.message, row.message, wholeFlow(row)),
            method(`Part${at}`, row.message, row.into ?? row.message, partFlow(row)),
            ...(row.refuses ?? []).map(([builds], which) =>
              method(`Refused${at}x${which}`, row.message, row.into ?? row.message, partFlow({ ...row, builds })),
            ),
          ]),
        ],
      },
    ],
  });
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...contract.file, made] }));
}

const image = makeImage();
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const compiled = compileImage(image);
const errors = errorsOf(compiled.diagnostics).map((one) => diagnosticText(one));
if (errors.length > 0) throw new Error(errors.join("\n"));

function messageNamed(name: string): DescMessage {
  const found = registry.getMessage(`data.v1.${name}`);
  if (found === undefined) throw new Error(`no data.v1.${name}`);
  return found;
}

/** What came of a workflow: each request that was sent, and the answer; or why it failed. */
function run(rpc: string, input: Uint8Array) {
  const workflow = compiled.workflows.find((one) => one.workflow === `data.v1.Flows/${rpc}`);
  const plan = loadPlan(Plan.encode(workflow?.plan ?? Plan.create()).finish());
  const sent: Uint8Array[] = [];
  const { state } = driveRun(plan, input, {
    tell: (command) => {
      if (command.kind !== "publishTask") return undefined;
      sent.push(command.request);
      return [{ $case: "completed", value: command.request }];
    },
  });
  return { plan, state, sent, answer: state.ended?.response ?? new Uint8Array(), status: state.ended?.status?.message };
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

describe.each(rows.map((row, at) => [row.kind, row, at] as const))("%s", (_, row, at) => {
  test("passes whole byte for byte, from call to call and to the caller", () => {
    const { sent, answer } = run(`Whole${at}`, row.wire);
    expect([...sent, answer].map(hex)).toEqual([hex(row.wire), hex(row.wire), hex(row.wire)]);
  });

  test("is read, and built again as other readers expect it", () => {
    const { answer, status } = run(`Part${at}`, row.wire);
    expect(status).toBeUndefined();
    const message = messageNamed(row.into ?? row.message);
    const { yields = null, bytes: expected = toBinary(message, fromJson(message, yields, { registry })) } = row;
    expect(hex(answer)).toBe(hex(expected));
    const told = row.yields === undefined ? undefined : toJson(message, fromBinary(message, answer), { registry });
    expect(told).toEqual(row.yields);
  });
});

const refused = rows.flatMap(({ kind, wire: input, refuses = [] }, at) =>
  refuses.map(([builds, says], which) => [kind, builds, says, `Refused${at}x${which}`, input] as const),
);

test.each(refused)("%s: %s fails its step", (_, __, says, rpc, input) => {
  const { status, answer } = run(rpc, input);
  expect(status).toContain(says);
  expect(answer).toHaveLength(0);
});

test("a time that JSON has no form for is no attribute, and its run is shown all the same", () => {
  const after9999 = wire(bytes(1, varint(1, 2n ** 60n)), bytes(4, varint(1, 1)));
  const { plan, state, sent } = run("Attributed", after9999);
  expect(describeRun(plan, state).attributes).toEqual({ first: '"1970-01-01T00:00:01Z"' });
  expect(sent.map(hex)).toEqual([hex(after9999)]);
});

/** What buf, a program in Go, reads of all that was built. */
function readByGo(results: Uint8Array): Record<string, JsonValue> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-data-"));
  try {
    const file = path.join(folder, "image.binpb");
    writeFileSync(file, image);
    const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
    const args = ["convert", file, "--type", "data.v1.Results", "--from", "-#format=binpb", "--to", "-#format=json"];
    return JSON.parse(execFileSync(buf, args, { input: results, encoding: "utf8" })) as Record<string, JsonValue>;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("what was built is read alike by Go", () => {
  const told = rows.flatMap((row, at) => (row.yields === undefined ? [] : [{ row, at }]));
  const found = readByGo(wire(...told.map(({ row, at }) => bytes(at + 1, run(`Part${at}`, row.wire).answer))));
  expect(told.map(({ row, at }) => [row.kind, found[`r${at}`]])).toEqual(told.map(({ row }) => [row.kind, row.yields]));
});

const pageFile = path.join(repositoryRoot, "docs/values.md");

function code(expression: string): string {
  return expression.includes("`") ? `\`\` ${expression} \`\`` : `\`${expression}\``;
}

/** What the page says of a kind: what is shown above. */
function pageRow(row: DataRow, at: number): string {
  const { sent, answer } = run(`Whole${at}`, row.wire);
  const isWhole = [...sent, answer].every((found) => hex(found) === hex(row.wire));
  const read = row.reads === "true" ? "" : code(row.reads);
  const built = row.reads === "true" ? "" : code(row.builds);
  const fails = (row.refuses ?? []).map(([builds]) => `${code(builds)} fails the step`);
  const notes = [...(row.note === undefined ? [] : [row.note]), ...fails].join("; ");
  return `| ${row.kind} | ${isWhole ? "same bytes" : "changed"} | ${read} | ${built} | ${notes} |`;
}

test("docs/values.md has each kind as it was run (vitest -u writes it)", async () => {
  const head = "| kind of data | passed whole | read | built | to know |\n|---|---|---|---|---|";
  const table = `${head}\n${rows.map(pageRow).join("\n")}\n`;
  const written = readFileSync(pageFile, "utf8").replace(
    /(<!-- table: data -->\n)[\s\S]*?(<!-- end -->)/,
    (_, begin: string, end: string) => `${begin}${table}${end}`,
  );
  expect(written).toContain(table);
  await expect(written).toMatchFileSnapshot(pageFile);
});
