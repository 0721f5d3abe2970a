import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import {
  CancelRunRequest,
  GetRunResponse,
  GetRunRequest,
  DecideRequest,
  ListApprovalsRequest,
  ListApprovalsResponse,
  PauseRunRequest,
  ResumeRunRequest,
  SignalRunRequest,
  StartRunRequest,
  StartRunResponse,
} from "../../proto/gen/sidestep/v1/runs.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { CallEnd, EchoStack } from "../support/echoStack.ts";

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  // Blocks of all kinds in each other, a child, and a wait for a signal.
  rpc All(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      key: 'input.text'
      step {
        id: "words"
        for_each {
          in: '["a", "b", "c"]'
          as: "word"
          max_parallel: 2
          step { id: "said" call { method: "echo.v1.Echo/Say" request: '{text: word + string(index)}' on_doubt: RETRY } }
          collect: 'said.text'
        }
      }
      step {
        id: "sum"
        loop {
          until: 'total >= 6'
          max_iterations: 10
          carry { name: "total" type: "int64" init: '0' next: 'total + iteration' }
          step { let { value: 'iteration' } }
        }
      }
      step {
        id: "caught"
        try {
          step { call { method: "echo.v1.Echo/Say" request: '{code: 5}' on_doubt: RETRY } }
          result: '"nothing"'
          catch { code: NOT_FOUND step { wait { for: "1ms" } } result: '"caught " + error.step' }
        }
      }
      step { id: "child" run { method: "flows.v1.Flows/Child" request: '{text: "child of " + input.text}' } }
      step { id: "go" signal { name: "go" timeout: "5m" } }
      output: '{text: words[0] + words[1] + words[2] + " " + string(sum.total) + " " + caught + " " + child.text + " " + go.text}'
    };
  }
  rpc Child(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "said" lock: '"one"' call { method: "echo.v1.Echo/Say" request: 'input' on_doubt: RETRY } }
    };
  }
  rpc Go(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.signal) = { name: "go" workflow: "All" key: 'input.nick_name' };
  }
  rpc Far(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.query) = {
      workflow: "All"
      key: 'input.text'
      output: '{text: has(steps.child) ? "waits for the word" : "on its way"}'
    };
  }
  // Its call never ends by itself.
  rpc Held(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "held" call { method: "echo.v1.Echo/Say" request: '{text: input.text, delay_ms: -1}' on_doubt: RETRY } }
    };
  }
  rpc Later(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "late_word" signal { name: "late" type: "echo.v1.SayRequest" timeout: "5m" } }
      step { id: "said" call { method: "echo.v1.Echo/Say" request: '{text: late_word.text}' on_doubt: RETRY } }
    };
  }
  rpc Tell(echo.v1.SayRequest) returns (stream echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      key: 'input.text'
      step { yield: '{text: "one"}' }
      step { yield: '{text: "two"}' }
      step { signal { name: "on" type: "echo.v1.SayRequest" } }
      step { yield: '{text: "three"}' }
      output: '{text: "last"}'
    };
  }
  // A person decides.
  rpc Ask(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "decision_of_ann" approve { title: '"may it?"' approvers: '["ann"]' } }
      output: '{text: decision_of_ann.by + ": " + decision_of_ann.comment}'
    };
  }
}
`;

let stack: EchoStack;

beforeAll(async () => {
  stack = await startEchoStack(contract);
});
afterAll(() => stack?.[Symbol.asyncDispose]());

function say(text: string, nickName = ""): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(text);
  if (nickName !== "") writer.tag(9, WireType.LengthDelimited).string(nickName);
  return writer.finish();
}

function answerOf(end: CallEnd): string {
  if (end.kind === "error") throw end.error;
  const reader = new BinaryReader(end.bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === 1) return reader.string();
    reader.skip(type);
  }
  return "";
}

const runs = (method: string, request: Uint8Array): Promise<CallEnd> =>
  stack.call(`sidestep.v1.Runs/${method}`, request);

test("a run over all kinds of blocks waits for its signal over a killed orchestrator, and ends as its contract says", async () => {
  const lost = stack.call("flows.v1.Flows/All", say("one"));
  const far = async (): Promise<string> => {
    const end = await stack.call("flows.v1.Flows/Far", say("one"));
    return end.kind === "answer" ? answerOf(end) : "";
  };
  await expect.poll(far, { timeout: 30_000 }).toBe("waits for the word");
  await stack.crashOrchestrator();
  expect((await lost).kind).toBe("error");
  expect((await stack.call("flows.v1.Flows/Go", say("go!", "one"))).kind).toBe("answer");
  expect(answerOf(await stack.call("flows.v1.Flows/All", say("one")))).toMatch(
    /^a0b1c2 10 caught \S+ child of one go!$/,
  );
});

test("a signal that comes early is kept, and its double is dropped", async () => {
  const answer = stack.call("flows.v1.Flows/All", say("two"));
  await expect
    .poll(async () => (await stack.call("flows.v1.Flows/Far", say("two"))).kind, { timeout: 20_000 })
    .toBe("answer");
  const once = { "idempotency-key": "word-1" };
  expect((await stack.call("flows.v1.Flows/Go", say("go!", "two"), once)).kind).toBe("answer");
  expect((await stack.call("flows.v1.Flows/Go", say("go!", "two"), once)).kind).toBe("answer");
  expect(answerOf(await answer)).toMatch(/^a0b1c2 10 caught \S+ child of two go!$/);
  const late = await stack.call("flows.v1.Flows/Go", say("go!", "two"));
  expect(late.kind === "error" && late.error.code).toBe(9);
});

test("an approval is listed, refused to others, and decided by one who may", async () => {
  const answer = stack.call("flows.v1.Flows/Ask", say("may I"), { "idempotency-key": "ask" });
  const started = await runs(
    "Start",
    StartRunRequest.encode({ workflow: "flows.v1.Flows/Ask", request: say("may I"), idempotencyKey: "ask" }).finish(),
  );
  if (started.kind === "error") throw started.error;
  const { runId } = StartRunResponse.decode(started.bytes);
  const list = async (): Promise<readonly string[]> => {
    const end = await runs("ListApprovals", ListApprovalsRequest.encode({ runId }).finish());
    return end.kind === "answer" ? ListApprovalsResponse.decode(end.bytes).approvals.map(({ title }) => title) : [];
  };
  await expect.poll(list, { timeout: 20_000 }).toEqual(["may it?"]);
  const decide = (by: string): Promise<CallEnd> =>
    runs(
      "Decide",
      DecideRequest.encode({
        ...DecideRequest.decode(new Uint8Array()),
        runId,
        approved: true,
        by,
        comment: "yes",
      }).finish(),
    );
  const other = await decide("bob");
  expect(other.kind === "error" && other.error.code).toBe(7);
  expect((await decide("ann")).kind).toBe("answer");
  expect(answerOf(await answer)).toBe("ann: yes");
  const got = await runs("Get", GetRunRequest.encode({ runId }).finish());
  expect(got.kind === "answer" && GetRunResponse.decode(got.bytes).run?.state).toBe(Run_State.COMPLETED);
});

/** Starts a run by its rpc, as a caller who waits for it, and says its id. */
async function begin(
  workflow: string,
  text: string,
): Promise<{ readonly runId: string; readonly answer: Promise<CallEnd> }> {
  const answer = stack.call(workflow, say(text), { "idempotency-key": text });
  const request = StartRunRequest.encode({ workflow, request: say(text), idempotencyKey: text }).finish();
  const started = await runs("Start", request);
  if (started.kind === "error") throw started.error;
  return { runId: StartRunResponse.decode(started.bytes).runId, answer };
}

async function read(runId: string): Promise<Run | undefined> {
  const got = await runs("Get", GetRunRequest.encode({ runId }).finish());
  return got.kind === "answer" ? GetRunResponse.decode(got.bytes).run : undefined;
}

test("a cancel reaches the service: the call that runs is reset, and the run ends as cancelled", async () => {
  const { runId, answer } = await begin("flows.v1.Flows/Held", "to be cancelled");
  await stack.echo.waitForLine(/^begin .*"to be cancelled"/);
  const cancelled = await runs("Cancel", CancelRunRequest.encode({ runId, reason: "enough" }).finish());
  expect(cancelled.kind).toBe("answer");
  await stack.echo.waitForLine(/^cancelled .*"to be cancelled"/);
  const end = await answer;
  expect(end.kind === "error" && end.error.code).toBe(1);
  expect((await read(runId))?.state).toBe(Run_State.CANCELLED);
});

test("a paused run hears its signal and begins no call until it is resumed", async () => {
  const { runId, answer } = await begin("flows.v1.Flows/Later", "paused");
  expect((await runs("Pause", PauseRunRequest.encode({ runId, reason: "wait" }).finish())).kind).toBe("answer");
  const signal = SignalRunRequest.fromPartial({ runId, name: "late", payload: say("the held word") });
  expect((await runs("Signal", SignalRunRequest.encode(signal).finish())).kind).toBe("answer");
  // A whole other run meanwhile: what were not held would have begun before its end.
  expect(answerOf(await stack.call("flows.v1.Flows/Child", say("meanwhile")))).toBe("meanwhile");
  expect(stack.echo.lines.filter((line) => line.includes("the held word"))).toEqual([]);
  expect((await read(runId))?.held).toBe(true);
  expect((await runs("Resume", ResumeRunRequest.encode({ runId, reason: "go on" }).finish())).kind).toBe("answer");
  expect(answerOf(await answer)).toBe("the held word");
});

/** What a stream brings from a number on, until it ends or is cut: texts, and how it ended. */
function follow(
  from: number,
  onText: (text: string) => void,
): Promise<{ readonly code: number; readonly next: string }> {
  const metadata = new Metadata();
  metadata.set("sidestep-from", String(from));
  const client = new Client(stack.address, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeServerStreamRequest("/flows.v1.Flows/Tell", same, same, Buffer.from(say("tell")), metadata);
  call.on("data", (bytes: Buffer) => onText(answerOf({ kind: "answer", bytes, runId: "" })));
  call.on("error", () => undefined);
  return new Promise((resolve) => {
    call.on("status", ({ code, metadata: end }) => {
      client.close();
      resolve({ code, next: String(end.get("sidestep-next")[0] ?? "") });
    });
  });
}

test("a stream goes on behind a killed orchestrator from the number that is asked for, and ends with the output", async () => {
  const before: string[] = [];
  const two = Promise.withResolvers<void>();
  const cut = follow(0, (text) => {
    before.push(text);
    if (before.length === 2) two.resolve();
  });
  await two.promise;
  await stack.crashOrchestrator();
  expect((await cut).code).toBe(14);
  expect(before).toEqual(["one", "two"]);
  const after: string[] = [];
  const rest = follow(before.length, (text) => after.push(text));
  const on = SignalRunRequest.fromPartial({
    workflow: "flows.v1.Flows/Tell",
    key: "tell",
    name: "on",
    payload: say(""),
  });
  expect((await runs("Signal", SignalRunRequest.encode(on).finish())).kind).toBe("answer");
  expect(await rest).toEqual({ code: 0, next: "4" });
  expect(after).toEqual(["three", "last"]);
  const all: string[] = [];
  expect(await follow(0, (text) => all.push(text))).toEqual({ code: 0, next: "4" });
  expect(all).toEqual(["one", "two", "three", "last"]);
});
