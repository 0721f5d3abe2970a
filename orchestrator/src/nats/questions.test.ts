import { expect, test } from "vitest";
import { AskReply_Verdict, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { toQuestions } from "./questions.ts";

type Callback = (error: null, message: { reply: string; subject: string; data: Uint8Array }) => void;

const names = toNames();

/** What of these requests reaches the owner, by their reply subjects and what they are to notify. */
function heard(requests: readonly { readonly reply?: string; readonly notify?: string }[]): readonly string[] {
  const callbacks = new Map<string, Callback>();
  const connection = {
    subscribe: (subject: string, { callback }: { callback: Callback }) => void callbacks.set(subject, callback),
    isClosed: () => true,
  };
  const taken: string[] = [];
  const log = { warn: () => undefined } as Partial<Log> as Log;
  const nats = { connection: connection as object as Nats["connection"] } as Partial<Nats> as Nats;
  toQuestions(nats, names, log).serve(0, {
    ask: () => Promise.resolve(void taken.push("ask")).then(() => AskReply_Verdict.NOT_NOW),
    wait: ({ notify }) => void taken.push(`wait ${notify}`),
  });
  for (const { reply = "_INBOX.R1.2", notify = "" } of requests) {
    const wait = WaitRequest.encode({ ...WaitRequest.decode(new Uint8Array()), notify }).finish();
    callbacks.get(names.waitSubject(0))?.(null, { reply, subject: names.waitSubject(0), data: wait });
    const asks = names.asksOfPartition(0);
    callbacks.get(asks)?.(null, { reply, subject: asks, data: new Uint8Array() });
  }
  return taken;
}

test("who waits is told at an inbox or not at all: an owner publishes nowhere else for others", () => {
  const told = ["", "_INBOX.ABC123", "sidestep.log.0.x.e", "_INBOX.a b", "_INBOX.a\r\nPUB x 0", "_INBOX.a..b", "*"];
  expect(heard(told.map((notify) => ({ notify }))).filter((it) => it !== "ask")).toEqual([
    "wait ",
    "wait _INBOX.ABC123",
  ]);
});

test("who asks is answered at an inbox or not at all", () => {
  const replies = ["$JS.API.STREAM.PURGE.SIDESTEP_LOG_0", "sidestep.log.0.x.e", "_INBOX."];
  expect(heard(replies.map((reply) => ({ reply })))).toEqual([]);
  expect(heard([{}])).toEqual(["wait ", "ask"]);
});
