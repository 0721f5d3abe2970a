import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import type { ChannelCredentials, ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunsClient } from "../../proto/gen/sidestep/v1/runs.ts";
import { silentLog } from "../../runtime/src/log.ts";
import { hashToken, makeToken, tokenLine } from "../../runtime/src/tokenFile.ts";
import type { Role } from "../../runtime/src/tokenFile.ts";
import { misfits } from "./config.ts";
import type { FrontServer } from "./frontDoor.ts";
import { fakeDefinitions, fakeFront, openTestServer, someRun } from "./grpc/testing.ts";
import { openTokens } from "./tokens.ts";

const folder = mkdtempSync(path.join(tmpdir(), "sidestep-access-"));
const file = path.join(folder, "tokens");
const opened = new AsyncDisposableStack();
let now = 0;

beforeAll(() => {
  const at = { cwd: folder, stdio: "ignore" } as const;
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const ssl = (...args: readonly string[]): void => void execFileSync("openssl", args, at);
  ssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca");
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/CN=ci"],
  ] as const) {
    ssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject);
    writeFileSync(path.join(folder, `${name}.ext`), "subjectAltName=DNS:localhost");
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", `${name}.ext`];
    ssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
});

afterAll(async () => {
  await opened.disposeAsync();
  rmSync(folder, { recursive: true });
});

function addToken(name: string, role: Role): string {
  const token = makeToken();
  appendFileSync(file, `${tokenLine({ name, role, sha256: hashToken(token) })}\n`);
  return token;
}

const cancel = { runId: someRun, reason: "no longer wanted" };

function callCancel(
  port: number,
  token: string | undefined,
  channel: ChannelCredentials = credentials.createInsecure(),
): Promise<ServiceError | null> {
  const client = new RunsClient(`localhost:${port}`, channel);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  metadata.set("sidestep-actor", "somebody");
  return new Promise((resolve) => {
    client.cancel(cancel, metadata, { deadline: Date.now() + 5_000 }, (error) => {
      client.close();
      resolve(error);
    });
  });
}

async function openGuarded(): Promise<{ readonly server: FrontServer; readonly front: ReturnType<typeof fakeFront> }> {
  const front = fakeFront();
  front.run = {};
  const authenticate = openTokens(file, silentLog, () => now);
  const server = opened.use(await openTestServer(front, fakeDefinitions(new Uint8Array()), { authenticate }));
  return { server, front };
}

test("a token lets its holder in over gRPC, JSON and the console's cookie, and its name is in what was asked", async () => {
  const token = addToken("on-call", "operator");
  const looker = addToken("screen", "viewer");
  const { server, front } = await openGuarded();
  expect((await callCancel(server.port, undefined))?.code).toBe(status.UNAUTHENTICATED);
  expect((await callCancel(server.port, looker))?.code).toBe(status.PERMISSION_DENIED);
  expect(await callCancel(server.port, token)).toBeNull();

  const at = `http://localhost:${server.port}`;
  const post = (where: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${at}${where}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const refused = await post("/sidestep.v1.Runs/Cancel", cancel);
  expect([refused.status, await refused.json()]).toMatchObject([401, { code: "unauthenticated" }]);
  expect((await post("/sidestep.v1.Runs/Cancel", cancel, { authorization: `Bearer ${token}` })).status).toBe(200);

  expect((await post("/session", { token: makeToken() })).status).toBe(401);
  const signedIn = await post("/session", { token });
  expect(await signedIn.json()).toMatchObject({ needsToken: true, name: "on-call", role: "operator" });
  const set = signedIn.headers.get("set-cookie") ?? "";
  expect(set).toMatch(/^sidestep_session=sst_[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  const cookie = set.split(";", 1)[0] ?? "";
  expect((await post("/sidestep.v1.Runs/Cancel", cancel, { cookie })).status).toBe(200);
  expect((await post("/sidestep.v1.Runs/Cancel", cancel, { cookie, origin: "https://evil.test" })).status).toBe(403);
  expect(await (await fetch(`${at}/session`, { headers: { cookie } })).json()).toMatchObject({ name: "on-call" });
  expect(await (await fetch(`${at}/session`)).json()).toEqual({ needsToken: true });
  const signedOut = await fetch(`${at}/session`, { method: "DELETE", headers: { cookie } });
  expect(signedOut.headers.get("set-cookie")).toMatch(/^sidestep_session=; .*Max-Age=0$/);

  expect(front.requests.map(({ event }) => "actor" in event && event.actor)).toEqual(["on-call", "on-call", "on-call"]);
});

test("a line that is taken out locks out, one that is added lets in, and a file gone wrong changes nothing", async () => {
  writeFileSync(file, "");
  const token = addToken("a", "admin");
  const { server } = await openGuarded();
  expect(await callCancel(server.port, token)).toBeNull();
  writeFileSync(file, "nonsense\n");
  now += 1_000;
  expect(await callCancel(server.port, token)).toBeNull();
  writeFileSync(file, "");
  const other = addToken("b", "admin");
  now += 1_000;
  expect((await callCancel(server.port, token))?.code).toBe(status.UNAUTHENTICATED);
  expect(await callCancel(server.port, other)).toBeNull();
});

test("a decision is its token holder's; on behalf of others decides an admin", async () => {
  writeFileSync(file, "");
  const tokens = { ann: addToken("ann", "operator"), root: addToken("root", "admin") };
  const { server, front } = await openGuarded();
  const approval = { step: "review", title: "", detail: "", approvers: ["ann", "bob"], type: "" };
  front.run = { approvals: [{ ...approval, since: undefined, due: undefined }] };
  const decide = async (holder: keyof typeof tokens, by: string): Promise<number> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${tokens[holder]}` };
    const body = JSON.stringify({ runId: someRun, approved: true, by });
    return (await fetch(`http://localhost:${server.port}/sidestep.v1.Runs/Decide`, { method: "POST", headers, body }))
      .status;
  };
  expect(await decide("ann", "bob")).toBe(403);
  expect(await decide("root", "")).toBe(403);
  expect([await decide("ann", ""), await decide("root", "bob")]).toEqual([200, 200]);
  expect(front.requests.map(({ event }) => "by" in event && event.by)).toEqual(["ann", "bob"]);
});

test("behind TLS clients show their certificate, over gRPC and HTTP alike, and are called by its name", async () => {
  const pem = (name: string): Buffer => readFileSync(path.join(folder, name));
  const at = (name: string): string => path.join(folder, name);
  const front = fakeFront();
  front.run = {};
  const tls = { cert: at("server.pem"), key: at("server.key"), clientCa: at("ca.pem") };
  const server = opened.use(await openTestServer(front, fakeDefinitions(new Uint8Array()), { tls }));
  const [ca, cert, key] = [pem("ca.pem"), pem("client.pem"), pem("client.key")];
  expect(await callCancel(server.port, undefined, credentials.createSsl(ca, key, cert))).toBeNull();
  expect((await callCancel(server.port, undefined, credentials.createSsl(ca)))?.code).toBe(status.UNAVAILABLE);
  expect((await callCancel(server.port, undefined))?.code).toBe(status.UNAVAILABLE);

  const headers = { "content-type": "application/json" };
  const asked = httpsRequest({
    host: "localhost",
    port: server.port,
    path: "/sidestep.v1.Runs/Cancel",
    method: "POST",
    agent: false,
    ca,
    cert,
    key,
    headers,
  });
  asked.end(JSON.stringify(cancel));
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(200);
  expect(front.requests.map(({ event }) => "actor" in event && event.actor)).toEqual(["ci", "ci"]);
});

const none = {
  tokens: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  tlsClientCa: undefined,
  insecureListen: false,
};
const tlsFiles = { tlsCert: "c", tlsKey: "k" };

test.each([
  ["127.0.0.1:7420", {}, undefined],
  ["[::1]:7420", {}, undefined],
  ["localhost:0", {}, undefined],
  ["0.0.0.0:7420", {}, /--insecure-listen/],
  ["10.0.0.1:7420", { tokens: "t" }, /--tls-cert/],
  ["[::]:7420", tlsFiles, /--tokens or --tls-client-ca/],
  ["0.0.0.0:7420", { ...tlsFiles, tokens: "t" }, undefined],
  ["0.0.0.0:7420", { ...tlsFiles, tlsClientCa: "a" }, undefined],
  ["0.0.0.0:7420", { insecureListen: true }, undefined],
  ["127.0.0.1:7420", { tlsCert: "c" }, /belong together/],
  ["127.0.0.1:7420", { tlsClientCa: "a" }, /--tls-client-ca takes/],
] as const)("listening on %s with %o", (listen, given, problem) => {
  const found = misfits({ ...none, listen, ...given }).join();
  expect(found).toMatch(problem ?? /^$/);
});
