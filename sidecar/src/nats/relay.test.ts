import type { Msg } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RelayCall, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { CallAnswer } from "../wayIn.ts";
import { openRelay } from "./relay.ts";

const runId = "0198c0ffee0010008000000000000001";
const call = { method: "flows.v1.Flows/Slow", request: new Uint8Array(), headers: [], leftMs: () => undefined };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One call, and an orchestrator that says what a test has it say. */
async function carried(message: CallAnswer["message"] = () => Promise.resolve()) {
  let heard: (error: null, message: Msg) => void = () => undefined;
  const asked: { readonly kind: string | undefined; readonly proof: string | undefined; readonly reply: string }[] = [];
  const connection = {
    subscribe: (_: string, { callback }: { callback: typeof heard }) => void (heard = callback),
    publish: (_: string, data: Uint8Array, { reply }: { reply: string }) => {
      const { kind } = RelayCall.decode(data);
      const proof = kind?.$case === "resume" ? kind.value.proof : undefined;
      asked.push({ kind: kind?.$case, proof, reply });
    },
    isClosed: () => true,
  };
  const nats = { connection: connection as object, isConnected: () => true } as Partial<Nats> as Nats;
  const messages: Uint8Array[] = [];
  const ends: CallEnd[] = [];
  const relay = openRelay({ nats, names: toNames(), payloads: { put: () => Promise.reject(new Error("none")) } });
  relay.carry("shop.v1.Orders", call, {
    headers: () => undefined,
    message: (bytes) => {
      messages.push(bytes);
      return message(bytes);
    },
    end: (end) => void ends.push(end),
  });
  await vi.advanceTimersByTimeAsync(0);
  const say = (...kinds: readonly RelayReply["kind"][]): void => {
    for (const kind of kinds) {
      const data = RelayReply.encode(RelayReply.fromPartial({ kind })).finish();
      heard(null, { subject: asked.at(-1)?.reply, data } as Partial<Msg> as Msg);
    }
  };
  return { asked, messages, ends, say };
}

const begun: RelayReply["kind"] = {
  $case: "headers",
  value: { headers: { "sidestep-run-id": runId, "sidestep-run-proof": "it is ours" } },
};
const part: RelayReply["kind"] = { $case: "part", value: { bytes: Uint8Array.of(7), isLast: true } };
const end: RelayReply["kind"] = {
  $case: "end",
  value: { code: 0, message: "", details: new Uint8Array(), trailers: {} },
};

test("an answer whose end got lost is asked for again, and given once", async () => {
  const { asked, messages, ends, say } = await carried();
  say(begun, part);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(asked.map(({ kind }) => kind)).toEqual(["begin", "resume"]);
  expect(asked.at(-1)?.proof).toBe("it is ours");
  say(part, end);
  await vi.advanceTimersByTimeAsync(0);
  expect(messages).toEqual([Uint8Array.of(7)]);
  expect(ends).toMatchObject([{ code: 0 }]);
});

test("nobody is asked for what a caller is slow to take", async () => {
  const { promise: taken, resolve: take } = Promise.withResolvers<void>();
  const { asked, ends, say } = await carried(() => taken);
  say(begun, part, end);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
  expect(ends).toEqual([]);
  take();
  await vi.advanceTimersByTimeAsync(0);
  expect(ends).toMatchObject([{ code: 0 }]);
});
