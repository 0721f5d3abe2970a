import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfo, RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { openCaller } from "../bench/caller.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { CallEnd, EchoStack } from "../support/echoStack.ts";

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  // What comes in goes through two calls and comes out, and nobody looks at it.
  rpc Whole(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "first" call { method: "echo.v1.Raw/Echo" request: 'input' } }
      step { id: "pass" call { method: "echo.v1.Raw/Pass" request: 'first' } }
    };
  }
  // A large answer goes from call to call; nothing of it comes out.
  rpc Between(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "say" call { method: "echo.v1.Echo/Say" request: 'input' timeout: "50s" } }
      step { id: "pass" call { method: "echo.v1.Raw/Pass" request: 'say' timeout: "50s" } }
      output: '{text: "passed"}'
    };
  }
  // Nobody answers.
  rpc Hang(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "say" call { method: "echo.v1.Echo/Say" request: '{text: "hang", delay_ms: -1}' timeout: "1h" } }
    };
  }
  // An expression reads a large answer.
  rpc Read(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "say" call { method: "echo.v1.Echo/Say" request: 'input' } }
      output: '{text: string(size(say.filling))}'
    };
  }
}
`;

const mebibyte = 1024 * 1024;
let stack: EchoStack;

beforeAll(async () => {
  stack = await startEchoStack(contract);
});
afterAll(() => stack?.[Symbol.asyncDispose]());

/** A SayRequest that is answered with so many bytes. */
function say(answerBytes: number): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string("big")
    .tag(7, WireType.Varint)
    .int32(answerBytes)
    .finish();
}

function text(end: CallEnd): string {
  if (end.kind === "error") throw end.error;
  const length = end.bytes[1] ?? 0;
  return new TextDecoder().decode(end.bytes.subarray(2, 2 + length));
}

function failureOf(end: CallEnd): { readonly code: number | undefined; readonly reason: string | undefined } {
  if (end.kind === "answer") throw new Error("it was answered");
  const details = end.error.metadata.get("grpc-status-details-bin")[0];
  const infos =
    details instanceof Buffer ? RpcStatus.decode(details).details.map(({ value }) => ErrorInfo.decode(value)) : [];
  return { code: end.error.code, reason: infos[0]?.reason };
}

function peakKiB(): number {
  const status = readFileSync(`/proc/${stack.orchestrator().pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
}

test.each([0, 262_143, 262_144, 262_145, 3 * mebibyte, 4 * mebibyte])(
  "%i bytes go through the whole run unchanged, unknown fields and all",
  async (size) => {
    const filling = randomBytes(Math.max(0, size - 6));
    const request =
      size === 0 ? new Uint8Array() : new BinaryWriter().tag(99, WireType.LengthDelimited).bytes(filling).finish();
    const end = await stack.call("flows.v1.Flows/Whole", request.subarray(0, size === 0 ? 0 : request.length));
    if (end.kind === "error") throw end.error;
    expect(Buffer.compare(end.bytes, request)).toBe(0);
  },
);

test("one byte more than the front door takes is refused before anything is written", async () => {
  const request = new BinaryWriter()
    .tag(99, WireType.LengthDelimited)
    .bytes(randomBytes(4 * mebibyte))
    .finish();
  const end = await stack.call("flows.v1.Flows/Whole", request);
  expect(failureOf(end).code).toBe(8);
  expect(end.runId).toBe("");
});

// What stands around an answer's filling.
const wrapped = 10;

test("an answer of 64 MiB passes from sidecar to sidecar, and the orchestrator does not grow by it", async () => {
  await stack.call("flows.v1.Flows/Between", say(10));
  const before = peakKiB();
  expect(text(await stack.call("flows.v1.Flows/Between", say(64 * mebibyte - wrapped)))).toBe("passed");
  expect(peakKiB() - before).toBeLessThan(30 * 1024);
});

test("an answer of one byte more fails its step alone", async () => {
  const end = await stack.call("flows.v1.Flows/Between", say(64 * mebibyte - wrapped + 1));
  expect(failureOf(end).code).toBe(8);
  expect(text(await stack.call("flows.v1.Flows/Between", say(10)))).toBe("passed");
});

test("an expression reads an answer of up to 8 MiB, and fails its step beyond", async () => {
  expect(text(await stack.call("flows.v1.Flows/Read", say(5 * mebibyte)))).toBe(String(5 * mebibyte));
  const end = await stack.call("flows.v1.Flows/Read", say(9 * mebibyte));
  expect(failureOf(end)).toEqual({ code: 13, reason: "EXPRESSION" });
});

test("runs end beside a service that does not answer, answers of 5 MiB and a client that reads none of its answers", async () => {
  const hanging = openCaller(stack.address);
  const unread = connect(`http://${stack.address}`, { settings: { initialWindowSize: 0 } }).on(
    "error",
    () => undefined,
  );
  try {
    for (let i = 0; i < 10; i++) hanging.call("flows.v1.Flows/Hang", new Uint8Array()).catch(() => undefined);
    const answered = Array.from({ length: 2 }, () => askUnread(unread, "flows.v1.Flows/Whole", 2 * mebibyte));
    await Promise.all(answered);
    const large = Array.from({ length: 2 }, () => stack.call("flows.v1.Flows/Between", say(5 * mebibyte)));
    const others = Array.from({ length: 20 }, () => stack.call("flows.v1.Flows/Between", say(10)));
    for (const end of await Promise.all([...others, ...large])) expect(text(end)).toBe("passed");
  } finally {
    unread.destroy();
    hanging[Symbol.dispose]();
  }
});

/** Asks for an answer of so many bytes on a connection whose window is closed; resolves when the answer begins, which can't go on then. */
function askUnread(session: ClientHttp2Session, rpc: string, bytes: number): Promise<void> {
  const request = new BinaryWriter().tag(99, WireType.LengthDelimited).bytes(randomBytes(bytes)).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(request.length, 1);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${rpc}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(Buffer.concat([prefix, request]));
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.once("response", () => resolve());
  });
}

test("a run with large answers that has ended is told by an orchestrator that never saw it", async () => {
  const headers = { "idempotency-key": "told-again" };
  const first = await stack.call("flows.v1.Flows/Read", say(mebibyte), headers);
  const whole = { "idempotency-key": "whole-again" };
  const request = new BinaryWriter().tag(99, WireType.LengthDelimited).bytes(randomBytes(mebibyte)).finish();
  const passed = await stack.call("flows.v1.Flows/Whole", request, whole);
  await stack.crashOrchestrator();
  expect(text(await stack.call("flows.v1.Flows/Read", say(mebibyte), headers))).toBe(text(first));
  const again = await stack.call("flows.v1.Flows/Whole", request, whole);
  expect(again).toMatchObject({ kind: "answer", runId: passed.runId });
  expect(again.kind === "answer" && Buffer.compare(again.bytes, request)).toBe(0);
});
