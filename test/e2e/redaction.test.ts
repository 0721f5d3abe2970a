import { Client, Metadata, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import {
  GetRunRequest,
  GetRunResponse,
  RunHistoryRequest,
  SignalRunRequest,
  StartRunRequest,
  StartRunResponse,
  TraceRunRequest,
  WaitRunRequest,
  WaitRunResponse,
} from "../../proto/gen/sidestep/v1/runs.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { CliFailure, failureText } from "../../cli/src/failure.ts";
import { toProgram } from "../../cli/src/program.ts";
import type { Terminal } from "../../cli/src/terminal.ts";
import { startEchoStack } from "../support/echoStack.ts";
import { startOtlpReceiver } from "../support/otlpReceiver.ts";

/** In each value that nobody but services and the caller may see. */
const canary = "CANARYCANARY";
const canaryNumber = 770_077_007_700_770n;

/** Raw answers with the bytes it gets: of any type. */
const sealed = `
message Sealed {
  string id = 1;
  string word = 2 [debug_redact = true];
  repeated string words = 3 [debug_redact = true];
  Inner inner = 4;
  Inner whole = 5 [debug_redact = true];
  map<string, string> labels = 6 [debug_redact = true];
  map<string, Inner> by_name = 7;
  google.protobuf.Any any = 8;
  bytes raw = 9 [debug_redact = true];
  int64 number = 10 [debug_redact = true];
  repeated Inner inners = 11;

  message Inner {
    string word = 1 [debug_redact = true];
    string plain = 2;
  }
}
`;

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  // Completes: through every kind of step that keeps or shows a value.
  rpc Complete(echo.v1.Sealed) returns (echo.v1.Sealed) {
    option (sidestep.v1.workflow) = {
      key: 'input.id'
      attribute { name: "plain" value: 'input.inner.plain' }
      step { id: "echoed" call { method: "echo.v1.Raw/Echo" request: 'input' on_doubt: RETRY } }
      step { id: "kept" let { value: 'echoed.word + echoed.words[0]' } }
      step { id: "each" for_each { in: 'echoed.words' as: "word" step { id: "said" let { value: 'word + kept' } } collect: 'said' } }
      step { id: "last" loop { max_iterations: 2 until: 'iteration == 1' carry { name: "word" init: 'each[0]' next: 'word + kept' } step { let { value: 'word' } } } }
      step { id: "child" run { method: "flows.v1.Flows/Fail" request: '{id: input.id, word: kept, number: input.number}' detach: true } }
      step { id: "told" signal { name: "tell" type: "echo.v1.Sealed" } }
      step { id: "asked" approve { title: '"who is " + input.id' type: "echo.v1.Sealed" } }
      output: '{id: input.id, word: last.word, words: each, inner: echoed.inner, whole: told.whole, any: input.any, number: echoed.number}'
    };
  }
  // Fails twice: an expression over what is redacted, caught, and a call with such a request that leaves an incident.
  rpc Fail(echo.v1.Sealed) returns (echo.v1.Sealed) {
    option (sidestep.v1.workflow) = {
      step {
        id: "done"
        call { method: "echo.v1.Raw/Echo" request: 'input' on_doubt: FAIL }
        compensate { call { method: "echo.v1.Raw/Echo" request: 'input' on_doubt: RETRY } }
      }
      step {
        try {
          step { let { value: 'int(input.word)' } }
          catch { step { let { value: 'error.message' } } }
        }
      }
      step { call { method: "echo.v1.Echo/Say" request: '{text: input.word, code: 13}' on_doubt: PAUSE } }
      output: 'done'
    };
  }
  // Yields what is redacted.
  rpc Stream(echo.v1.Sealed) returns (stream echo.v1.Sealed) {
    option (sidestep.v1.workflow) = {
      step { yield: 'input' }
    };
  }
}
`;

function toSealed(id: string): Uint8Array {
  const inner = (word: string): Uint8Array =>
    new BinaryWriter().tag(1, 2).string(word).tag(2, 2).string("seen").finish();
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(id);
  writer.tag(2, WireType.LengthDelimited).string(`${canary}1`);
  writer.tag(3, WireType.LengthDelimited).string(`${canary}2`).tag(3, WireType.LengthDelimited).string(`${canary}3`);
  writer.tag(4, WireType.LengthDelimited).bytes(inner(`${canary}4`));
  writer.tag(5, WireType.LengthDelimited).bytes(inner(`${canary}5`));
  const label = new BinaryWriter().tag(1, 2).string(`${canary}key`).tag(2, 2).string(`${canary}6`).finish();
  writer.tag(6, WireType.LengthDelimited).bytes(label);
  const named = new BinaryWriter()
    .tag(1, 2)
    .string("name")
    .tag(2, 2)
    .bytes(inner(`${canary}7`))
    .finish();
  writer.tag(7, WireType.LengthDelimited).bytes(named);
  const any = new BinaryWriter()
    .tag(1, 2)
    .string("type.googleapis.com/echo.v1.Sealed.Inner")
    .tag(2, 2)
    .bytes(inner(`${canary}8`))
    .finish();
  writer.tag(8, WireType.LengthDelimited).bytes(any);
  writer.tag(9, WireType.LengthDelimited).string(`${canary}9`);
  writer.tag(10, WireType.Varint).int64(canaryNumber);
  writer.tag(11, WireType.LengthDelimited).bytes(inner(`${canary}11`));
  return writer.finish();
}

/** All forms in which a canary could stand in a text: itself, its number, and the base64 of what surely stands in whole groups of it. */
const forms = [
  canary,
  String(canaryNumber),
  ...[0, 1, 2].map((before) => {
    const lead = Math.ceil(before / 3) * 3 - before;
    const whole = canary.slice(lead, lead + Math.floor((canary.length - lead) / 3) * 3);
    return Buffer.from(whole).toString("base64");
  }),
];
const numberBytes = Buffer.from(new BinaryWriter().int64(canaryNumber).finish());

function expectClean(name: string, output: string | Uint8Array): void {
  const text = typeof output === "string" ? output : Buffer.from(output).toString("latin1");
  for (const form of forms) expect(text.includes(form), `${name} has ${form}:\n${text.slice(0, 3_000)}`).toBe(false);
  expect(typeof output !== "string" && Buffer.from(output).includes(numberBytes), name).toBe(false);
}

test("no output but the workflow's own answer has a value of a field that is declared debug_redact", async () => {
  await using receiver = await startOtlpReceiver();
  await using stack = await startEchoStack(contract, {
    echo: (text) =>
      text
        .replace(`import "google`, `import "google/protobuf/any.proto";\nimport "google`)
        .replace(/rpc Echo\(SayRequest\) returns \(SayResponse\)/, "rpc Echo(Sealed) returns (Sealed)")
        .replace("string text = 1;", "string text = 1 [debug_redact = true];") + sealed,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl },
  });
  const outputs: [string, string | Uint8Array][] = [];
  const client = new Client(stack.address, credentials.createInsecure());
  const ask = async (rpc: string, request: Uint8Array): Promise<Uint8Array> => {
    const answered = await send(client, `sidestep.v1.Runs/${rpc}`, request);
    if (rpc !== "Wait") outputs.push([rpc, answered]);
    return answered;
  };
  const cli = async (...args: string[]): Promise<string> => {
    const said = await run([...args, "--address", stack.address]);
    outputs.push([args.join(" "), said]);
    return said;
  };
  const start = async (method: string): Promise<string> => {
    const request = Buffer.from(toSealed(`id-${method}`));
    const bytes = StartRunRequest.encode(
      StartRunRequest.fromPartial({ workflow: `flows.v1.Flows/${method}`, request }),
    );
    return StartRunResponse.decode(await ask("Start", bytes.finish())).runId;
  };
  const stateOf = async (runId: string): Promise<Run_State | undefined> =>
    GetRunResponse.decode(await ask("Get", GetRunRequest.encode({ runId }).finish())).run?.state;

  const [completed, failed, streamed] = [await start("Complete"), await start("Fail"), await start("Stream")];
  const payload = Buffer.from(toSealed("id-Complete"));
  await ask(
    "Signal",
    SignalRunRequest.encode(SignalRunRequest.fromPartial({ runId: completed, name: "tell", payload })).finish(),
  );
  await expect.poll(() => cli("approval", "list", completed), { timeout: 15_000 }).toContain("who is id-Complete");
  const ofAll = new RegExp(`^${completed} .*who is id-Complete`, "m");
  await expect.poll(() => cli("approval", "list"), { timeout: 15_000 }).toMatch(ofAll);
  await cli("approval", "decide", completed, "--approve", "--by", "ann", "-d", `{"id": "x", "word": "${canary}12"}`);
  await expect.poll(() => stateOf(failed), { timeout: 15_000 }).toBe(Run_State.PAUSED);
  const waited = await ask("Wait", WaitRunRequest.encode({ runId: completed, timeout: undefined }).finish());
  // The answer itself is whole.
  const answer = WaitRunResponse.decode(waited).run?.response ?? new Uint8Array();
  expect(Buffer.from(answer).toString("latin1")).toContain(`${canary}2${canary}1${canary}2`);
  expect(Buffer.from(answer).includes(numberBytes)).toBe(true);

  for (const runId of [completed, failed, streamed]) {
    await ask("History", RunHistoryRequest.encode({ runId, pageSize: 0, pageToken: "" }).finish());
    await ask("Trace", TraceRunRequest.encode({ runId }).finish());
    expect(await stateOf(runId)).toBe(runId === failed ? Run_State.PAUSED : Run_State.COMPLETED);
  }
  const shown = await cli("run", "describe", failed);
  expect(shown).toContain("seen");
  await Promise.all([
    cli("run", "describe", completed, "-o", "json"),
    cli("run", "describe", completed),
    cli("run", "history", completed, "-o", "json"),
    cli("run", "history", failed),
    cli("run", "trace", failed),
    cli("run", "trace", failed, "-o", "otlp-json"),
    cli("run", "follow", streamed),
    cli("run", "exec", "flows.v1.Flows/Complete", "-d", `{"id": "id-Complete", "number": "${canary}13"}`),
    cli("workflow", "list"),
    cli("run", "compensate", failed),
  ]);
  await expect.poll(() => stateOf(failed), { timeout: 15_000 }).toBe(Run_State.COMPENSATED);
  await cli("run", "describe", failed);
  const spans = await receiver.waitFor((all) => all.some(({ name }) => name.includes("Fail")));
  outputs.push([
    "spans",
    JSON.stringify(spans, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
  ]);
  for (const program of stack.programs()) {
    outputs.push([program.name, program.lines.join("\n")]);
    const port = /"adminPort":(\d+)|"admin server listens"[^\n]*"port":(\d+)/.exec(program.lines.join("\n"));
    const at = port?.[1] ?? port?.[2];
    expect(at, program.lines.join("\n")).toBeDefined();
    outputs.push([`metrics of ${program.name}`, await (await fetch(`http://127.0.0.1:${at}/metrics`)).text()]);
  }
  for (const [name, output] of outputs) expectClean(name, output);
  client.close();
});

function send(client: Client, rpc: string, request: Uint8Array): Promise<Uint8Array> {
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const told = (error: ServiceError | null, bytes: Buffer | undefined): void =>
      error === null ? resolve(bytes ?? new Uint8Array()) : reject(error);
    client.makeUnaryRequest(
      `/${rpc}`,
      same,
      same,
      Buffer.from(request),
      new Metadata(),
      { deadline: Date.now() + 30_000 },
      told,
    );
  });
}

/** What a command writes to both of its outputs; in this process, which is quicker than one of its own. */
async function run(args: readonly string[]): Promise<string> {
  let said = "";
  const say = (text: string): void => void (said += text);
  const terminal: Terminal = {
    out: say,
    err: say,
    input: () => Promise.resolve(new Uint8Array()),
    atInterrupt: () => () => undefined,
    now: () => 0,
    environment: {},
    colors: { out: false, err: false },
  };
  const none = (): Promise<never> => Promise.reject(new Error("no program is started here"));
  try {
    await toProgram(terminal, { orchestrator: none, sidecar: none, dev: none }, () => undefined).parseAsync(args, {
      from: "user",
    });
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    say(failureText(error));
  }
  return said;
}
