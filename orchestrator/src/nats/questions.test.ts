import { expect, test } from "vitest";
import { WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { toQuestions } from "./questions.ts";

type Callback = (error: null, message: { reply: string; subject: string; data: Uint8Array }) => void;

const names = toNames();

/** Which waits of these notify subjects reach the owner. */
function heard(notifies: readonly string[]): readonly string[] {
  const callbacks = new Map<string, Callback>();
  const connection = {
    subscribe: (subject: string, { callback }: { callback: Callback }) => void callbacks.set(subject, callback),
  };
  const taken: string[] = [];
  const log = { warn: () => undefined } as Partial<Log> as Log;
  toQuestions({ connection: connection as object as Nats["connection"] } as Partial<Nats> as Nats, names, log).serve(
    0,
    {
      ask: () => Promise.reject(new Error("not asked here")),
      wait: ({ notify }) => void taken.push(notify),
    },
  );
  const subject = names.waitSubject(0);
  for (const notify of notifies) {
    const data = WaitRequest.encode({ ...WaitRequest.decode(new Uint8Array()), notify }).finish();
    callbacks.get(subject)?.(null, { reply: "_INBOX.reply", subject, data });
  }
  return taken;
}

test("who waits is told at an inbox or not at all: an owner publishes nowhere else for others", () => {
  expect(heard(["", "_INBOX.ABC123", "sidestep.log.0.x.e", "_INBOX.a b", "_INBOX.a\r\nPUB x 0", "*"])).toEqual([
    "",
    "_INBOX.ABC123",
  ]);
});
