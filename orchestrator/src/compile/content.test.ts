import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FileOptionsSchema,
  MethodOptions_IdempotencyLevel,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { compileImage } from "./compileImage.ts";
import { buildContract, buildModules, makeSet } from "./testing.ts";
import type { MadeWorkflow } from "./testing.ts";

const contract = buildContract();
const call = {
  $case: "call",
  value: { method: "contract.v1.Stock/Reserve", request: "{order_id: input.id}" },
} as const;
const workflow = { step: [{ id: "reserve", kind: call }], output: "{reservation_id: reserve.reservation_id}" } as const;

/** The content of made.v1.Orders/Place in an image. */
function contentOf(set: FileDescriptorSet): string {
  const { workflows, diagnostics } = compileImage(toBinary(FileDescriptorSetSchema, set));
  const found = workflows.find((one) => one.workflow === "made.v1.Orders/Place");
  if (found === undefined) throw new Error(JSON.stringify(diagnostics));
  return Buffer.from(found.contentPreimage).toString("latin1");
}

function made(changes: Partial<MadeWorkflow> = {}): FileDescriptorSet {
  return makeSet(contract, [{ workflow, ...changes }]);
}

function contractOf(set: FileDescriptorSet): FileDescriptorSet["file"][number] {
  const file = set.file.find((one) => one.name === "contract/v1/contract.proto");
  if (file === undefined) throw new Error("no contract");
  return file;
}

function message(set: FileDescriptorSet, name: string): DescriptorProto {
  const found = contractOf(set).messageType.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function addField(set: FileDescriptorSet, name: string): void {
  message(set, name).field.push(
    create(FieldDescriptorProtoSchema, {
      name: "added",
      jsonName: "added",
      number: 100,
      type: FieldDescriptorProto_Type.STRING,
      label: FieldDescriptorProto_Label.OPTIONAL,
    }),
  );
}

type Change = (set: FileDescriptorSet) => FileDescriptorSet | void;

const original = contentOf(made());

describe("the content of a workflow stays when", () => {
  const changes: readonly (readonly [string, Change])[] = [
    [
      "the files come in another order",
      (set) => {
        set.file = set.file.toReversed();
      },
    ],
    [
      "messages are declared in another order",
      (set) => {
        contractOf(set).messageType = contractOf(set).messageType.toReversed();
      },
    ],
    [
      "fields are declared in another order",
      (set) => {
        message(set, "Order").field = message(set, "Order").field.toReversed();
      },
    ],
    [
      "methods are declared in another order",
      (set) => {
        for (const service of contractOf(set).service) service.method = service.method.toReversed();
      },
    ],
    ["another workflow is added", () => makeSet(contract, [{ workflow }, { rpc: "Other", workflow }])],
    ["a message that it doesn't reach changes", (set) => addField(set, "ReleaseRequest")],
    [
      "a message is added",
      (set) => void contractOf(set).messageType.push(create(DescriptorProtoSchema, { name: "Added" })),
    ],
    [
      "a file is added",
      (set) =>
        void set.file.push(
          create(FileDescriptorProtoSchema, { name: "added.proto", package: "added", syntax: "proto3" }),
        ),
    ],
    [
      "options that mean nothing on the wire change",
      (set) => {
        const [first] = message(set, "Order").field;
        if (first !== undefined) first.options = create(FieldOptionsSchema, { deprecated: true });
        contractOf(set).options = create(FileOptionsSchema, { javaPackage: "com.example" });
      },
    ],
    [
      "a file has another name",
      (set) => {
        contractOf(set).name = "renamed.proto";
        for (const file of set.file) {
          file.dependency = file.dependency.map((name) =>
            name === "contract/v1/contract.proto" ? "renamed.proto" : name,
          );
        }
      },
    ],
    [
      "a method it doesn't call changes",
      (set) => {
        const release = contractOf(set).service[0]?.method.find((method) => method.name === "Release");
        if (release !== undefined) release.options = create(MethodOptionsSchema);
      },
    ],
  ];

  it.each(changes)("%s", (_story, change) => {
    const set = made();
    expect(contentOf(change(set) ?? set)).toBe(original);
  });

  it("comments and white space change", () => {
    const withComments = fromBinary(
      FileDescriptorSetSchema,
      buildModules(["orchestrator/src/compile/testdata/contract"], []),
    );
    const files = withComments.file.filter((file) => /^(google|contract|sidestep\/v1\/workflow)/.test(file.name));
    expect(files.some((file) => (file.sourceCodeInfo?.location.length ?? 0) > 0)).toBe(true);
    const set = makeSet(create(FileDescriptorSetSchema, { file: files }), [{ workflow }]);
    expect(contentOf(set)).toBe(original);
  });
});

describe("the content of a workflow changes when", () => {
  const changes: readonly (readonly [string, Change])[] = [
    [
      "a step changes",
      () => made({ workflow: { ...workflow, step: [{ id: "reserve", title: "Reserve", kind: call }] } }),
    ],
    ["the output changes", () => made({ workflow: { ...workflow, output: "{note: reserve.reservation_id}" } })],
    ["the service's defaults change", () => made({ defaults: { timeout: "1s" } })],
    ["the request gets a field", (set) => addField(set, "Order")],
    ["a message inside the request gets a field", (set) => addField(set, "Line")],
    ["the response gets a field", (set) => addField(set, "Receipt")],
    ["a called method's response gets a field", (set) => addField(set, "ReserveResponse")],
    [
      "a field gets another number",
      (set) => {
        const last = message(set, "Receipt").field.at(-1);
        if (last !== undefined) last.number = 50;
      },
    ],
    [
      "a field gets another type",
      (set) => {
        const last = message(set, "Receipt").field.at(-1);
        if (last !== undefined) last.type = FieldDescriptorProto_Type.BYTES;
      },
    ],
    [
      "a field gets another name",
      (set) => {
        const last = message(set, "Receipt").field.at(-1);
        if (last !== undefined) last.name = "remark";
      },
    ],
    [
      "a field is no longer packed",
      (set) => {
        const lines = create(FieldDescriptorProtoSchema, {
          name: "numbers",
          jsonName: "numbers",
          number: 99,
          type: FieldDescriptorProto_Type.INT32,
          label: FieldDescriptorProto_Label.REPEATED,
          options: create(FieldOptionsSchema, { packed: false }),
        });
        message(set, "Receipt").field.push(lines);
      },
    ],
    [
      "an enum gets a value",
      (set) => void contractOf(set).enumType[0]?.value.push({ ...enumValue(set), name: "CHANNEL_SHOP", number: 7 }),
    ],
    [
      "an enum value gets another number",
      (set) => {
        enumValue(set).number = 9;
      },
    ],
    [
      "a called method may be called again",
      (set) => {
        const reserve = contractOf(set).service[0]?.method.find((method) => method.name === "Reserve");
        if (reserve !== undefined) {
          reserve.options = create(MethodOptionsSchema, {
            idempotencyLevel: MethodOptions_IdempotencyLevel.IDEMPOTENT,
          });
        }
      },
    ],
    [
      "another method is called",
      () =>
        made({
          workflow: {
            ...workflow,
            step: [
              {
                id: "reserve",
                kind: call,
                compensate: { kind: { $case: "call", value: { method: "contract.v1.Stock/Release" } } },
              },
            ],
          },
        }),
    ],
  ];

  it.each(changes)("%s", (_story, change) => {
    const set = made();
    expect(contentOf(change(set) ?? set)).not.toBe(original);
  });

  it("an enum that only an expression names changes", () => {
    const naming = { ...workflow, output: "{note: string(contract.v1.Channel.CHANNEL_WEB)}" };
    const requestless = {
      input: "contract.v1.Nothing",
      workflow: { step: [{ id: "w", kind: { $case: "let", value: { value: "1" } } }], output: naming.output },
    } as const;
    const before = makeSet(contract, [requestless]);
    const after = makeSet(contract, [requestless]);
    enumValue(after).number = 9;
    expect(contentOf(after)).not.toBe(contentOf(before));
  });
});

function enumValue(set: FileDescriptorSet): FileDescriptorSet["file"][number]["enumType"][number]["value"][number] {
  const value = contractOf(set).enumType[0]?.value[1];
  if (value === undefined) throw new Error("no enum value");
  return value;
}
