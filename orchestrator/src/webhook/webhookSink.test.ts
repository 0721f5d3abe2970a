import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Notice } from "../projection/notices.ts";
import { toWebhookSink } from "./webhookSink.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);
const secret = Buffer.from("a secret of the webhook");
const notice: Notice = {
  id: "0192f7a1b2c30abc1122334455667788-12-0",
  name: "incident",
  atMs: nowMs - 1_000,
  runId: "0192f7a1b2c30abc1122334455667788",
  traceId: "0192f7a1b2c30abc1122334455667788",
  workflow: "shop.v1.Orders/Place",
  version: 3,
  key: "o-1",
  step: "ship",
  attempt: 3,
  compensation: false,
  reason: Incident_Reason.EXHAUSTED,
  state: Run_State.PAUSED,
  code: 14,
  message: "no route",
};

/** What came, and what is answered; 0: nothing. */
const receiver = { status: 204, got: [] as { readonly headers: IncomingHttpHeaders; readonly body: string }[] };
const told: string[] = [];
let url = "";

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    receiver.got.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
    if (receiver.status !== 0) response.writeHead(receiver.status, { location: url }).end("thanks");
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  Object.assign(receiver, { status: 204, got: [] });
  told.length = 0;
});

function makeSink(over: { readonly url?: string } = {}) {
  const tell = (outcome: string, notices: number): void => void told.push(`${outcome} ${notices}`);
  // Short only where nothing answers: a busy machine takes its time for the rest.
  const timeoutMs = receiver.status === 0 ? 100 : 10_000;
  return toWebhookSink({ url, secret, now: () => nowMs, told: tell, timeoutMs, ...over });
}

test("notices are posted as JSON, signed with their time", async () => {
  expect(
    await makeSink().export([notice, { ...notice, id: "b", name: "run failed", state: Run_State.FAILED }]),
  ).toEqual({
    kind: "taken",
  });
  const [{ headers, body } = { headers: {}, body: "" }] = receiver.got;
  const [, time = "", signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["sidestep-signature"])) ?? [];
  expect(Number(time)).toBe(nowMs / 1000);
  expect(signature).toBe(createHmac("sha256", secret).update(`${time}.${body}`).digest("hex"));
  expect(headers["content-type"]).toBe("application/json");
  expect(JSON.parse(body)).toEqual({
    notices: [
      {
        id: notice.id,
        kind: "INCIDENT",
        time: "2026-11-29T11:59:59.000Z",
        runId: notice.runId,
        traceId: notice.traceId,
        workflow: "shop.v1.Orders/Place",
        version: 3,
        key: "o-1",
        state: "PAUSED",
        step: "ship",
        attempt: 3,
        compensation: false,
        reason: "EXHAUSTED",
        code: "UNAVAILABLE",
        message: "no route",
      },
      expect.objectContaining({ id: "b", kind: "RUN_FAILED", state: "FAILED" }),
    ],
  });
  expect(told).toEqual(["taken 2"]);
});

test.each([
  [200, "taken"],
  [400, "refused"],
  [410, "refused"],
  [413, "refused"],
  [422, "refused"],
  [302, "away"],
  [401, "away"],
  [404, "away"],
  [429, "away"],
  [500, "away"],
  [503, "away"],
  [0, "away"],
])("of an answer %i the notice is %s", async (status, kind) => {
  receiver.status = status;
  expect((await makeSink().export([notice])).kind).toBe(kind);
  expect(receiver.got).toHaveLength(1);
});

test("a receiver that is not there is away", async () => {
  expect(await makeSink({ url: "http://127.0.0.1:1/" }).export([notice])).toMatchObject({ kind: "away" });
});

test("what is a day old is dropped, and counted", async () => {
  const old = { ...notice, atMs: nowMs - 25 * 3_600_000 };
  expect(await makeSink().export([old])).toEqual({ kind: "taken" });
  expect([receiver.got.length, told]).toEqual([0, ["expired 1"]]);
  await makeSink().export([old, notice]);
  expect(told).toEqual(["expired 1", "expired 1", "taken 1"]);
});
