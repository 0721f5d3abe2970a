import { credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { AuditClient, AuditEntry_Outcome as Outcome, ListAuditRequest } from "../../../proto/gen/sidestep/v1/audit.ts";
import type { AuditEntry, ListAuditResponse } from "../../../proto/gen/sidestep/v1/audit.ts";
import { DefinitionsClient } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { PendingApproval } from "../../../proto/gen/sidestep/v1/run.ts";
import { DecideRequest, RunsClient } from "../../../proto/gen/sidestep/v1/runs.ts";
import { fakeAudit, fakeDefinitions, fakeFront, openTestServer, someRun } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const holders = {
  v: { name: "Vera", role: "viewer" },
  o: { name: "Otto", role: "operator" },
  a: { name: "Ada", role: "admin" },
} as const;
const front = fakeFront();
const audit = fakeAudit();
let runs: RunsClient;
let audits: AuditClient;
let definitions: DefinitionsClient;

beforeAll(async () => {
  const server = closing.use(
    await openTestServer(front, fakeDefinitions(new Uint8Array()), {
      audit,
      authenticate: (token) => (token === "v" || token === "o" || token === "a" ? holders[token] : undefined),
    }),
  );
  const address = `127.0.0.1:${server.port}`;
  runs = new RunsClient(address, credentials.createInsecure());
  audits = new AuditClient(address, credentials.createInsecure());
  definitions = new DefinitionsClient(address, credentials.createInsecure());
  for (const client of [runs, audits, definitions]) closing.defer(() => client.close());
});

beforeEach(() => {
  audit.entries.splice(0);
  audit.isAway = false;
  front.requests.length = 0;
  front.run = { workflow: "shop.v1.OrderWorkflow/Fulfil" };
});

interface Ended<Response> {
  readonly code: number;
  readonly response: Response | undefined;
}

/** Calls with a token: one of `holders`, or another. */
function ask<Request, Response>(
  method: (
    request: Request,
    metadata: Metadata,
    answer: (error: ServiceError | null, response: Response) => void,
  ) => unknown,
  request: Request,
  token: string,
): Promise<Ended<Response>> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return new Promise((resolve) => {
    method(request, metadata, (error, response) => resolve({ code: error?.code ?? 0, response }));
  });
}

const otherRun = someRun.replace(/1$/, "2");
const cancel = (token: string, reason = "the customer left", runId: string = someRun) =>
  ask(runs.cancel.bind(runs), { runId, reason }, token);
const told = (): readonly Partial<AuditEntry>[] => audit.entries;

test("what was done is kept with who did it, in which role, to what and why", async () => {
  await cancel("o");
  const target = { kind: { $case: "service", value: "shop.v1.Orders" } } as const;
  await ask(runs.hold.bind(runs), { target, reason: "the bank is down" }, "o");
  const by = { actor: "Otto", role: "operator", outcome: Outcome.DONE, code: "" };
  expect(told()).toMatchObject([
    { ...by, method: "sidestep.v1.Runs/Cancel", target: someRun, reason: "the customer left" },
    { ...by, method: "sidestep.v1.Runs/Hold", target: "shop.v1.Orders", reason: "the bank is down" },
  ]);
});

test("what failed is kept with the failure, and what a role may not do as refused", async () => {
  await ask(runs.clearLimit.bind(runs), { method: "shop.v1.Orders/Place", reason: "" }, "o");
  for (let time = 0; time < 3; time++) expect((await cancel("v", "r", otherRun)).code).toBe(status.PERMISSION_DENIED);
  await ask(
    definitions.deploy.bind(definitions),
    { image: Buffer.alloc(0), dryRun: false, allowBreaking: false, reason: "" },
    "o",
  );
  expect(told()).toMatchObject([
    { outcome: Outcome.FAILED, code: "NOT_FOUND", errorReason: "NOT_LIMITED", target: "shop.v1.Orders/Place" },
    {
      outcome: Outcome.REFUSED,
      code: "PERMISSION_DENIED",
      errorReason: "ROLE_TOO_LOW",
      actor: "Vera",
      target: otherRun,
      times: 1,
    },
    { outcome: Outcome.REFUSED, actor: "Otto", method: "sidestep.v1.Definitions/Deploy" },
  ]);
  expect(front.requests).toEqual([]);
});

test("who looks, and who has no token of ours, leaves no entry", async () => {
  await ask(runs.get.bind(runs), { runId: someRun }, "v");
  expect((await cancel("x")).code).toBe(status.UNAUTHENTICATED);
  expect(told()).toEqual([]);
});

test("the entry is there before anything is done, and nothing is done when it can't be written", async () => {
  const seen: (readonly Partial<AuditEntry>[])[] = [];
  const request = front.request.bind(front);
  front.request = (...args) => {
    seen.push([...audit.entries]);
    return request(...args);
  };
  await cancel("o");
  front.request = request;
  expect(seen).toMatchObject([[{ target: someRun, outcome: Outcome.OUTCOME_UNSPECIFIED }]]);
  audit.isAway = true;
  front.requests.length = 0;
  expect((await cancel("o")).code).toBe(status.UNAVAILABLE);
  expect(front.requests).toEqual([]);
});

test("a decision in another's name is in the log with both: whose word it is, and who gave it", async () => {
  front.run = { approvals: [{ ...PendingApproval.fromPartial({ step: "ship" }), approvers: ["Vera"] }] };
  const decision = DecideRequest.fromPartial({ runId: someRun, approved: true, by: "Vera" });
  expect((await ask(runs.decide.bind(runs), decision, "o")).code).toBe(status.PERMISSION_DENIED);
  expect((await ask(runs.decide.bind(runs), decision, "a")).code).toBe(status.OK);
  expect(front.requests).toMatchObject([{ kind: "decide", event: { by: "Vera", actor: "Ada" } }]);
});

test("a reason that is too long is refused before anything is written", async () => {
  expect((await cancel("o", "x".repeat(5_000))).code).toBe(status.INVALID_ARGUMENT);
  expect(told()).toEqual([]);
});

test("it is listed newest first, by actor, method, target and outcome, page by page; a viewer may not", async () => {
  const list = (request: Partial<ListAuditRequest>, token = "o") =>
    ask<ListAuditRequest, ListAuditResponse>(audits.list.bind(audits), ListAuditRequest.fromPartial(request), token);
  await cancel("o", "first");
  await cancel("v", "second");
  await ask(runs.clearLimit.bind(runs), { method: "shop.v1.Orders/Place", reason: "third" }, "o");
  const reasons = async (request: Partial<ListAuditRequest>) =>
    (await list(request)).response?.entries.map(({ reason }) => reason);
  expect(await reasons({})).toEqual(["third", "second", "first"]);
  expect(await reasons({ actor: "Vera" })).toEqual(["second"]);
  expect(await reasons({ method: "ClearLimit" })).toEqual(["third"]);
  expect(await reasons({ target: someRun })).toEqual(["second", "first"]);
  expect(await reasons({ outcome: Outcome.REFUSED })).toEqual(["second"]);
  expect(await reasons({ until: { seconds: 1n, nanos: 0 } })).toEqual([]);
  const first = (await list({ pageSize: 2 })).response;
  expect(await reasons({ pageToken: first?.nextPageToken ?? "" })).toEqual(["first"]);
  expect((await list({}, "v")).code).toBe(status.PERMISSION_DENIED);
  expect((await list({ pageToken: "x" })).code).toBe(status.INVALID_ARGUMENT);
});
