import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildImage } from "./buildImage.ts";
import { check } from "./check.ts";
import { ownProtoFolder, schemaFile } from "./ownProto.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "sidestep-check-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
}

const greeter = `syntax = "proto3";
package greet.v1;
service Greeter { rpc Greet(GreetRequest) returns (GreetResponse); }
message GreetRequest { string name = 1; }
message GreetResponse { string greeting = 1; }
`;

function hello(request: string): string {
  return `syntax = "proto3";
package hello.v1;
import "sidestep/v1/workflow.proto";
service Hello {
  rpc Say(SayRequest) returns (SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "said" call { method: "greet.v1.Greeter/Greet" request: '${request}' on_doubt: RETRY } }
      output: '{text: said.greeting}'
    };
  }
}
message SayRequest { string name = 1; }
message SayResponse { string text = 1; }
`;
}

async function run(options: { descriptorSet?: string; color?: boolean } = {}): Promise<readonly [number, string]> {
  const lines: string[] = [];
  const exitCode = await check(folder, { color: false, ...options, out: (text) => lines.push(text) });
  return [exitCode, lines.join("\n")];
}

const fine = [0, "hello.v1.Hello/Say: 1 step, calls greet.v1.Greeter/Greet\n1 workflow, nothing wrong"] as const;

describe("check", () => {
  it("needs neither buf.yaml nor a vendored workflow.proto, and leaves the folder as it is", async () => {
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}"));
    expect(await run()).toEqual(fine);
    expect(readdirSync(folder).toSorted()).toEqual(["greet", "hello"]);
  });

  it("goes by a buf.yaml with modules", async () => {
    write("buf.yaml", "version: v2\nmodules:\n  - path: contracts\n  - path: flows\n");
    write("contracts/greet/v1/greet.proto", greeter);
    write("flows/hello/v1/hello.proto", hello("{name: input.name}"));
    write("elsewhere/broken.proto", "nonsense");
    expect(await run()).toEqual(fine);
  });

  it("goes by a buf.yaml without modules", async () => {
    write("buf.yaml", "version: v2\n");
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}"));
    expect(await run()).toEqual(fine);
  });

  it("goes by a buf.work.yaml", async () => {
    write("buf.work.yaml", "version: v1\ndirectories: [proto]\n");
    write("proto/greet/v1/greet.proto", greeter);
    write("proto/hello/v1/hello.proto", hello("{name: input.name}"));
    expect(await run()).toEqual(fine);
  });

  it("takes a vendored workflow.proto before its own", async () => {
    const vendored = readFileSync(path.join(ownProtoFolder(), schemaFile), "utf8");
    write(`third_party/${schemaFile}`, vendored.replace("string output = 11", "string answer = 11"));
    write("buf.yaml", "version: v2\nmodules:\n  - path: proto\n  - path: third_party\n");
    write("proto/greet/v1/greet.proto", greeter);
    write("proto/hello/v1/hello.proto", hello("{name: input.name}").replace("output:", "answer:"));
    expect(await run()).toEqual(fine);
  });

  it("leaves node_modules alone", async () => {
    write("node_modules/some/broken.proto", "nonsense");
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}"));
    expect(await run()).toEqual(fine);
  });

  it("follows links, also in circles", async () => {
    write("real/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}"));
    mkdirSync(path.join(folder, "greet"));
    symlinkSync(path.join(folder, "real"), path.join(folder, "greet/v1"));
    symlinkSync(folder, path.join(folder, "hello/again"));
    symlinkSync(path.join(folder, "nowhere"), path.join(folder, "broken.proto"));
    const [exitCode, text] = await run();
    expect([exitCode, text]).toEqual(fine);
  });

  it("says so when a folder can't be read", async () => {
    write("hello/v1/hello.proto", hello("{}"));
    const built = await buildImage(path.join(folder, "hello/v1/hello.proto"));
    expect(built).toMatchObject({ kind: "failed", what: "there is no such folder" });
  });

  it("prints what is wrong where it stands, and ends with 10", async () => {
    write("buf.yaml", "version: v2\nmodules:\n  - path: proto\n");
    write("proto/greet/v1/greet.proto", greeter);
    write("proto/hello/v1/hello.proto", hello("{nam: input.name}"));
    const file = path.join(folder, "proto/hello/v1/hello.proto");
    expect(await run()).toEqual([
      10,
      [
        `${file}:7:76: error: message greet.v1.GreetRequest has no field 'nam' [SIDESTEP1403]`,
        `    7 |       step { id: "said" call { method: "greet.v1.Greeter/Greet" request: '{nam: input.name}' on_doubt: RETRY } }`,
        "      |                                                                            ^",
        "  hint: did you mean 'name'?",
        "",
        "1 error",
      ].join("\n"),
    ]);
  });

  it("prints buf's own errors the same way, with the fields there are", async () => {
    write("hello/v1/hello.proto", hello("{}").replace("output:", "outptu:"));
    const [exitCode, text] = await run();
    expect(exitCode).toBe(10);
    expect(text).toContain(
      "hello/v1/hello.proto:8:7: error: cannot resolve message field name for `sidestep.v1.Workflow` [SIDESTEP1005]",
    );
    expect(text).toContain("    8 |       outptu: '{text: said.greeting}'\n      |       ^");
    expect(text).toContain(
      "hint: did you mean 'output'? Workflow has: key, timeout, defaults, saga, attribute, trigger,",
    );
  });

  it.each([
    ["timeout: 600", "hint: timeout is a text, in quotes: timeout: '600'"],
    ["timeout: 5m", "hint: timeout is a text, in quotes: timeout: '5m'"],
    ["key: input.name", "hint: key is a text, in quotes: key: 'input.name'"],
    ["defaults { on_doubt: retry }", "hint: did you mean 'RETRY'? on_doubt is one of RETRY, VERIFY, PAUSE, FAIL"],
    ["saga: parallel", "hint: did you mean 'PARALLEL'? saga is one of "],
    [
      'key: "input.name + "x""',
      "hint: a quote ended the text: write '…' around an expression that holds \"…\", or the other way round",
    ],
    [
      'step { call { method: "greet.v1.Greeter/Greet" request { name: input.name } } }',
      "hint: request is a text, in quotes: request: '{…}'",
    ],
  ])("says what is written in place of %s", async (wrong, hint) => {
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}").replace("output:", `${wrong} output:`));
    const [exitCode, text] = await run();
    expect(exitCode).toBe(10);
    expect(text).toContain(hint);
  });

  it("says where imports are looked up", async () => {
    write("hello/v1/hello.proto", `${hello("{}")}import "greeter/v1/missing.proto";\n`);
    const [exitCode, text] = await run();
    expect(exitCode).toBe(10);
    expect(text).toContain("imported file does not exist");
    expect(text).toContain("hint: imports are looked up from this folder: other roots stand in buf.yaml as modules");
  });

  it("says so when there is no workflow", async () => {
    write("greet/v1/greet.proto", greeter);
    expect(await run()).toEqual([0, "no workflow found: no rpc has the option (sidestep.v1.workflow)"]);
  });

  it("ends with 1 where it can't check at all", async () => {
    const missing = path.join(folder, "missing");
    const lines: string[] = [];
    expect(await check(missing, { color: false, out: (text) => lines.push(text) })).toBe(1);
    expect(lines.join("\n")).toBe(
      `can't check: there is no such folder\nWhere: ${missing}\nWhat next: name the folder that holds your .proto files`,
    );
    write("buf.yaml", "version: v7\n");
    const [exitCode, text] = await run();
    expect(exitCode).toBe(1);
    expect(text).toContain("buf can't build it");
    expect(text).not.toContain("sidestep-check-".concat("/buf.yaml/"));
  });

  it("paints for a terminal", async () => {
    write("hello/v1/hello.proto", hello("{}"));
    const [, text] = await run({ color: true });
    expect(text).toContain("\u001b[31;1merror:\u001b[0m unknown service 'greet.v1.Greeter'");
  });
});

describe("check --descriptor-set", () => {
  it("tells places in the definition", async () => {
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{nam: input.name}"));
    const built = await buildImage(folder);
    if (built.kind !== "built") throw new Error(built.kind);
    const descriptorSet = path.join(folder, "image.binpb");
    writeFileSync(descriptorSet, built.image);
    expect(await run({ descriptorSet })).toEqual([
      10,
      [
        "hello/v1/hello.proto: hello.v1.Hello/Say step[0].call.request: error: " +
          "message greet.v1.GreetRequest has no field 'nam' [SIDESTEP1403]",
        "  hint: did you mean 'name'?",
        "",
        "1 error",
      ].join("\n"),
    ]);
  });

  it("takes what buf itself builds", async () => {
    write("greet/v1/greet.proto", greeter);
    write("hello/v1/hello.proto", hello("{name: input.name}"));
    cpSync(path.join(ownProtoFolder(), schemaFile), path.join(folder, schemaFile), { recursive: true });
    const buf = path.join(path.dirname(ownProtoFolder()), "node_modules/@bufbuild/buf/bin/buf");
    execFileSync(process.execPath, [buf, "build", "-o", "image.binpb"], { cwd: folder });
    expect(await run({ descriptorSet: path.join(folder, "image.binpb") })).toEqual(fine);
  });

  it("ends with 1 when there is no such file, and with 10 when it is none", async () => {
    expect((await run({ descriptorSet: path.join(folder, "none") }))[0]).toBe(1);
    write("junk", "junk");
    const [exitCode, text] = await run({ descriptorSet: path.join(folder, "junk") });
    expect(exitCode).toBe(10);
    expect(text).toContain("image: error: the image is not a complete google.protobuf.FileDescriptorSet");
    expect(existsSync(path.join(folder, "junk"))).toBe(true);
  });
});
