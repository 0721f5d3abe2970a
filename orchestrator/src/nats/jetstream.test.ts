import type { NatsConnection } from "@nats-io/transport-node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { askAgain } from "./jetstream.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const silence = new Promise<never>(() => undefined);
const answer = (body: object) => Promise.resolve({ data: Buffer.from(JSON.stringify(body)) });
const refusal = (code: number, number: number) => answer({ error: { code, err_code: number, description: "no" } });

/** A connection on which the first request is answered like this, the second like that. */
function answering(...answers: readonly Promise<unknown>[]) {
  const left = [...answers];
  const request = vi.fn<() => Promise<unknown>>(() => left.shift() ?? silence);
  return { request, connection: { request, isClosed: () => false } as Partial<NatsConnection> as NatsConnection };
}

test("what nobody answers, or a former leader refuses in passing, is asked again until the next leader answers", async () => {
  const { connection, request } = answering(silence, refusal(503, 10008), answer({ consumers: ["a"] }));
  const asked = askAgain(connection, "CONSUMER.NAMES.S", {});
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await asked).toEqual({ consumers: ["a"] });
  expect(request).toHaveBeenCalledTimes(3);
});

test("what is refused for good is not asked again", async () => {
  const { connection, request } = answering(refusal(404, 10059));
  await expect(askAgain(connection, "STREAM.INFO.S", undefined)).rejects.toMatchObject({ code: 10059 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(request).toHaveBeenCalledTimes(1);
});
