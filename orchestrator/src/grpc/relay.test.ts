import { afterAll, expect, test } from "vitest";
import { DecideRequest, WaitRunRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import { toCredentials } from "../processor/credentials.ts";
import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RelayCall_Begin, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { RelayCall } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import type { FrontServer, FrontServerOptions } from "../frontDoor.ts";
import type { RunRequest } from "../processor/front.ts";
import { tellingMethods } from "./ownRuns.ts";
import type { Relay } from "./relay.ts";
import { methodsFor } from "./roles.ts";
import { fakeAudit, fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "./testing.ts";
import type { FakeFront } from "./testing.ts";
import { approve, flow, talkPlan, text } from "./testing/talk.ts";

// What a sidecar says is the word of whoever has its service's account.

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

interface Open {
  readonly front: FakeFront;
  readonly audit: ReturnType<typeof fakeAudit>;
  readonly server: FrontServer;
  readonly dropped: (readonly [service: string, keptAs: string])[];
  readonly fetched: PayloadRef[];
  /** Resolves with the last reply. */
  readonly begin: (call: Partial<RelayCall_Begin>) => Promise<RelayReply["kind"]>;
  readonly carry: Relay["carry"];
}

const service = "shop.v1.Orders";

async function open(options: Partial<FrontServerOptions> = {}): Promise<Open> {
  const front = fakeFront();
  front.plan = talkPlan;
  const definitions = fakeDefinitions(new Uint8Array());
  definitions.plan = talkPlan;
  definitions.set([makeEntry(flow, 1, { signalMethods: [approve] })]);
  const audit = fakeAudit();
  const dropped: Open["dropped"] = [];
  const fetched: PayloadRef[] = [];
  let carry: Relay["carry"] = () => undefined;
  const server = closing.use(
    await openTestServer(front, definitions, {
      audit,
      dropRequest: (...about) => void dropped.push(about),
      fetchRequest: (ref) => {
        fetched.push(ref);
        return Promise.resolve(text("o-1"));
      },
      serveRelays: (given) => {
        carry = given;
        return { [Symbol.asyncDispose]: () => Promise.resolve() };
      },
      ...options,
    }),
  );
  const begin: Open["begin"] = (call) => {
    const { promise: last, resolve } = Promise.withResolvers<RelayReply["kind"]>();
    const value = { method: flow, request: text("o-1"), ...call };
    carry(service, RelayCall.fromPartial({ kind: { $case: "begin", value } }), ({ kind }) => {
      if (kind?.$case === "end" || kind?.$case === "again") resolve(kind);
    });
    return last;
  };
  return { front, audit, server, dropped, fetched, begin, carry };
}

const decide = "sidestep.v1.Runs/Decide";
const approval = { step: "review", title: "", detail: "", approvers: [service, "bob"], type: "" };

function decided(by: string): Uint8Array {
  return DecideRequest.encode(DecideRequest.fromPartial({ runId: someRun, approved: true, by })).finish();
}

test("a service speaks in its own name and has the role of a caller, however its sidecar writes the headers", async () => {
  const { front, begin } = await open();
  front.run = { approvals: [{ ...approval, since: undefined, due: undefined }] };
  // In this order the second one would win.
  const headers = {
    "sidestep-actor": "a",
    "sidestep-role": "viewer",
    "Sidestep-Actor": "root",
    "SIDESTEP-ROLE": "admin",
    Authorization: "Bearer x",
  };
  const forged = await begin({ method: decide, request: decided("bob"), headers });
  expect(forged).toMatchObject({ $case: "end", value: { code: 7 } });
  await begin({ method: decide, request: decided(""), headers });
  expect(front.requests.map(({ event }: RunRequest) => "by" in event && event.by)).toEqual([service]);
});

test("what a service may not do is refused, and in the audit under its name", async () => {
  const { audit, begin } = await open();
  const steered = await begin({ method: "sidestep.v1.Runs/Terminate", request: new Uint8Array() });
  expect(steered).toMatchObject({ value: { code: 7 } });
  expect(audit.entries).toMatchObject([
    { actor: service, role: "caller", method: "sidestep.v1.Runs/Terminate", errorReason: "ROLE_TOO_LOW" },
  ]);
});

const keptAs = `ffff${"0".repeat(28)}`;
const ref: PayloadRef = {
  runId: keptAs,
  service,
  id: "0".repeat(32),
  chunks: 1,
  sizeBytes: 5,
  key: new Uint8Array(32),
};

test("a request that is kept apart is read once and dropped, and so is one that nobody reads", async () => {
  const { dropped, fetched, front, begin } = await open();
  front.end({});
  expect(await begin({ request: new Uint8Array(), requestPayload: ref })).toMatchObject({ value: { code: 0 } });
  expect(front.starts).toMatchObject([{ request: text("o-1") }]);
  const unserved = await begin({ method: "a.v1.B/Unserved", requestPayload: ref });
  expect(unserved).toMatchObject({ value: { code: 12 } });
  const tooLarge = await begin({ requestPayload: { ...ref, sizeBytes: 1_001 } });
  expect(tooLarge).toMatchObject({ value: { code: 8 } });
  expect(fetched).toMatchObject([ref]);
  expect(dropped).toEqual(Array.from({ length: 3 }, () => [service, keptAs]));
});

test("what another service has kept, or a run has, is neither read nor dropped", async () => {
  const { dropped, fetched, begin } = await open();
  for (const other of [{ service: "bank.v1.Accounts" }, { runId: someRun }])
    expect(await begin({ requestPayload: { ...ref, ...other } })).toMatchObject({ value: { code: 14 } });
  expect([dropped, fetched]).toEqual([[], []]);
});

test("a signal that is under way when the orchestrator shuts down is answered as a signal, and waited for", async () => {
  const { front, server, begin } = await open();
  front.run = {};
  const { promise: folded, resolve: fold } = Promise.withResolvers<void>();
  const request = front.request.bind(front);
  front.request = async (...about) => {
    await folded;
    return request(...about);
  };
  const last = begin({ method: approve });
  let isDrained = false;
  const drained = server.drain().then(() => (isDrained = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isDrained).toBe(false);
  fold();
  expect(await last).toMatchObject({ $case: "end", value: { code: 0 } });
  await drained;
});

test("a start that is under way when the orchestrator shuts down goes on elsewhere, once its run is known", async () => {
  const { front, server, begin } = await open();
  const { promise: durable, resolve: store } = Promise.withResolvers<void>();
  front.startResult = async () => {
    await durable;
    return { kind: "started", runId: someRun };
  };
  const last = begin({});
  await expect.poll(() => front.starts.length).toBe(1);
  const drained = server.drain();
  store();
  expect(await last).toMatchObject({ $case: "again" });
  await drained;
});

/** The header of that name, and how the call ended. */
interface Heard {
  readonly proof: string | undefined;
  readonly last: RelayReply["kind"];
}

function heard(carry: Relay["carry"], who: string, kind: RelayCall["kind"]): Promise<Heard> {
  return new Promise((resolve) => {
    let proof: string | undefined;
    carry(who, { kind }, ({ kind: got }) => {
      if (got?.$case === "headers") proof = got.value.headers["sidestep-run-proof"];
      if (got?.$case === "end" || got?.$case === "again") resolve({ proof, last: got });
    });
  });
}

function beginning(call: Partial<RelayCall_Begin>): RelayCall["kind"] {
  return RelayCall.fromPartial({ kind: { $case: "begin", value: call } }).kind;
}

function resuming(proof: string): RelayCall["kind"] {
  return { $case: "resume", value: { runId: fromHex(someRun), streams: false, from: 0, proof } };
}

const waiting = WaitRunRequest.encode(WaitRunRequest.fromPartial({ runId: someRun })).finish();
const own = { value: { code: 0 } };
const refusedGoingOn = { value: { code: 14 } };
const refused = { value: { code: 7 } };

test("what a run comes to is told to the service that has begun or joined it, at every orchestrator, and to no other", async () => {
  const secret = Buffer.from("of all orchestrators");
  const credentials = toCredentials([secret]);
  const [here, there] = [await open({ credentials }), await open({ credentials: toCredentials([secret]) })];
  for (const { front } of [here, there]) {
    front.run = {};
    front.end({});
  }
  here.front.startResult = () => ({ kind: "joined", runId: someRun });
  const { proof = "", last } = await heard(here.carry, service, beginning({ method: flow, request: text("o-1") }));
  expect(last).toMatchObject(own);
  expect(proof).toHaveLength(43);
  const wait = { method: "sidestep.v1.Runs/Wait", request: waiting };
  const headers = { "sidestep-run-proof": proof };
  for (const { carry } of [here, there]) {
    expect((await heard(carry, service, resuming(proof))).last).toMatchObject(own);
    expect((await heard(carry, service, beginning({ ...wait, headers }))).last).toMatchObject(own);
    // What another one has seen of it is of no use to it, nor is what every task has.
    const token = Buffer.from(credentials.token(`${someRun}/1/g0/f/1`)).toString("base64url");
    for (const known of ["", "=", proof, token, credentials.token(`run ${someRun} of ${service}`).toString()])
      expect((await heard(carry, "bank.v1.Accounts", resuming(known))).last).toMatchObject(refusedGoingOn);
    expect((await heard(carry, "bank.v1.Accounts", beginning({ ...wait, headers }))).last).toMatchObject(refused);
    expect((await heard(carry, service, beginning(wait))).last).toMatchObject(refused);
  }
});

test("without a proof the run's start says who has begun it", async () => {
  const { front, carry } = await open();
  front.run = {};
  front.end({});
  front.starterOf = () => Promise.resolve({ kind: "starter", actor: service });
  expect((await heard(carry, service, resuming(""))).last).toMatchObject(own);
  expect((await heard(carry, "bank.v1.Accounts", resuming(""))).last).toMatchObject(refusedGoingOn);
});

test("no proof comes with a run that a service only talks to", async () => {
  const { front, carry } = await open();
  front.run = {};
  const { proof, last } = await heard(carry, service, beginning({ method: approve, request: text("o-1") }));
  expect(last).toMatchObject(own);
  expect(proof).toBeUndefined();
});

test("of each method that a service may call it has been thought about whether it tells what is in others' runs", () => {
  const silent = ["Start", "Call", "Signal", "Decide"].map((name) => `sidestep.v1.Runs/${name}`);
  const ofRuns = methodsFor("caller").filter((method) => method.startsWith("sidestep.v1.Runs/"));
  expect(ofRuns.toSorted()).toEqual([...silent, ...tellingMethods].toSorted());
});
