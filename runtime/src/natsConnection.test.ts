import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { writeFile, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { NatsConnectionImpl } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { freePort } from "../../test/support/freePort.ts";
import { startNats } from "../../test/support/nats.ts";
import { startTcpProxy } from "../../test/support/tcpProxy.ts";
import type { TcpProxy } from "../../test/support/tcpProxy.ts";
import { readConfiguration } from "./configuration.ts";
import { silentLog, logger } from "./log.ts";
import { openNats } from "./natsConnection.ts";
import { isFitVersion } from "./natsServer.ts";
import { natsSettings } from "./natsSettings.ts";
import type { NatsSettings } from "./natsSettings.ts";

const quiet = { name: "test", log: silentLog, signal: new AbortController().signal };

function settings(environment: Record<string, string>): NatsSettings {
  const reading = readConfiguration(natsSettings, { args: [], environment, readFile: () => "{}" });
  if (reading.kind !== "settings") throw new Error("the settings of the test are wrong");
  return reading.settings;
}

/** Resolves with the fields of the next log line that has this message. */
function waitForLog() {
  const lines: string[] = [];
  const waiting: { message: string; resolve: () => void }[] = [];
  const log = logger("test", {
    write: (line) => {
      lines.push(line);
      for (const one of waiting) if (line.includes(one.message)) one.resolve();
    },
  });
  const said = (message: string): Promise<void> => new Promise((resolve) => void waiting.push({ message, resolve }));
  return { log, lines, said };
}

test("it leaves a server in lame duck mode for another one, once everybody is ready to", async () => {
  const configuration = 'lame_duck_grace_period: "10s"\nlame_duck_duration: "30s"';
  await using one = await startNats({ configuration });
  await using other = await startNats({ configuration });
  await using nats = await openNats(settings({ NATS_URL: `${one.url},${other.url}` }), quiet);
  const [leaving, staying] = new URL(one.url).host === nats.connection.getServer() ? [one, other] : [other, one];
  let wasConnected: boolean | undefined;
  nats.onLeaving(async () => {
    await nats.connection.flush();
    wasConnected = nats.isConnected();
  });
  const isBack = new Promise<void>((resolve) => void nats.onReconnect(resolve));
  void leaving.retire();
  await isBack;
  expect(wasConnected).toBe(true);
  expect(nats.connection.getServer()).toBe(new URL(staying.url).host);
});

test("a server that stands still is left for another one, and not asked again before that", async () => {
  await using one = await startNats();
  await using other = await startNats();
  await using toOne = await startTcpProxy(one.url);
  await using toOther = await startTcpProxy(other.url);
  await using nats = await openNats(settings({ NATS_URL: `${toOne.url},${toOther.url}` }), quiet);
  const isTheOne = new URL(toOne.url).host === nats.connection.getServer();
  const [still, next] = isTheOne ? [toOne, toOther] : [toOther, toOne];
  const isBack = new Promise<void>((resolve) => void nats.onReconnect(resolve));
  still.freeze();
  await isBack;
  expect(nats.connection.getServer()).toBe(new URL(next.url).host);
  expect(still.taken()).toBe(1);
});

test("of several servers that stand still each is asked once before one that was not asked yet", async () => {
  await using started = new AsyncDisposableStack();
  const proxies = new Map<string, TcpProxy>();
  for (let count = 0; count < 3; count += 1) {
    const server = started.use(await startNats());
    const proxy = started.use(await startTcpProxy(server.url));
    proxies.set(new URL(proxy.url).host, proxy);
  }
  const urls = [...proxies.values()].map(({ url }) => url);
  await using nats = await openNats(settings({ NATS_URL: urls.join(",") }), quiet);
  const { connection } = nats;
  assert(connection instanceof NatsConnectionImpl);
  // In the order in which the client has them.
  const order = connection.protocol.servers.getServers().map(({ listen }) => proxies.get(listen));
  const isBack = new Promise<void>((resolve) => void nats.onReconnect(resolve));
  order[0]?.freeze();
  order[1]?.freeze();
  await isBack;
  expect(order.map((proxy) => proxy?.taken())).toEqual([1, 1, 1]);
}, 20_000);

test("it waits for a server that is not there yet, and comes back after a restart", async () => {
  const port = await freePort();
  const { log, lines, said } = waitForLog();
  const waits = said("waiting for NATS");
  const opening = openNats(settings({ NATS_URL: `nats://127.0.0.1:${port}` }), { ...quiet, log });
  await waits;
  await using server = await startNats({ port });
  await using nats = await opening;
  expect(lines.filter((line) => line.includes("waiting for NATS"))).toHaveLength(1);
  expect([nats.isConnected(), nats.reconnects()]).toEqual([true, 0]);
  const firstConnectedAtMs = nats.connectedAtMs();
  const { promise: lost, resolve: onLost } = Promise.withResolvers<void>();
  const { promise: back, resolve: onBack } = Promise.withResolvers<void>();
  nats.onDisconnect(onLost);
  nats.onReconnect(onBack);
  await server.kill9();
  await lost;
  expect(nats.isConnected()).toBe(false);
  await server.restart();
  await back;
  expect([nats.isConnected(), nats.reconnects()]).toEqual([true, 1]);
  expect(nats.connectedAtMs()).toBeGreaterThan(firstConnectedAtMs);
});

test("waiting ends when it is told to", async () => {
  const stop = new AbortController();
  const { log, said } = waitForLog();
  const waits = said("waiting for NATS");
  const opening = openNats(settings({ NATS_URL: `nats://127.0.0.1:${await freePort()}` }), {
    name: "test",
    log,
    signal: stop.signal,
  });
  await waits;
  stop.abort(new Error("stopped by the test"));
  await expect(opening).rejects.toThrow("stopped by the test");
});

test("a server of an unfit version is refused with what would do", async () => {
  const port = await freePort();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      if (bytes.toString().includes("PING")) socket.write("PONG\r\n");
    });
    socket.write(
      `INFO ${JSON.stringify({ server_id: "x", version: "2.9.10", proto: 1, headers: true, max_payload: 1_048_576 })}\r\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await expect(openNats(settings({ NATS_URL: `127.0.0.1:${port}` }), quiet)).rejects.toMatchObject({
    code: "UNFIT_SERVER",
    message: expect.stringMatching(
      /nats-server 2\.9\.10 is not supported; needed: 2\.12\.12 or later in 2\.12, or 2\.14\.3 or later/,
    ),
  });
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ["2.9.10", false],
  ["2.12.11", false],
  ["2.12.12", true],
  ["2.13.9", false],
  ["2.14.2", false],
  ["2.14.3-RC.1", false],
  ["2.14.3", true],
  ["2.15.1", true],
  ["3.0.0", true],
  ["dev", false],
])("version %s fits: %s", (version, fits) => expect(isFitVersion(version)).toBe(fits));

const authorization = (user: string) => ({ configuration: `authorization { users: [ ${user} ] }` });

test("user and password are taken from variables, or from the URL, and wrong ones are an error at once", async () => {
  await using server = await startNats(authorization('{ user: "ann", password: "s3 cret" }'));
  const { host } = new URL(server.url);
  for (const environment of [
    { NATS_URL: server.url, NATS_USER: "ann", NATS_PASSWORD: "s3 cret" },
    { NATS_URL: `nats://ann:s3%20cret@${host}` },
  ]) {
    await using nats = await openNats(settings(environment), quiet);
    expect(nats.isConnected()).toBe(true);
  }
  await expect(
    openNats(settings({ NATS_URL: server.url, NATS_USER: "ann", NATS_PASSWORD: "no" }), quiet),
  ).rejects.toMatchObject({ code: "REFUSED" });
});

test("a token and an nkey do as well", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-nkey-"));
  const pair = nkeys.createUser();
  const file = path.join(folder, "seed.nk");
  await writeFile(file, new TextDecoder().decode(pair.getSeed()));
  {
    await using server = await startNats(authorization(`{ nkey: "${pair.getPublicKey()}" }`));
    await using nats = await openNats(settings({ NATS_URL: server.url, NATS_NKEY: file }), quiet);
    expect(nats.isConnected()).toBe(true);
  }
  {
    await using server = await startNats({ configuration: 'authorization { token: "open" }' });
    await using nats = await openNats(settings({ NATS_URL: server.url, NATS_TOKEN: "open" }), quiet);
    expect(nats.isConnected()).toBe(true);
  }
  await rm(folder, { recursive: true });
});

test("a credentials file that is not there is told by its variable", async () => {
  const opening = openNats(settings({ NATS_CREDS: "/nowhere/a.creds" }), quiet);
  await expect(opening).rejects.toMatchObject({
    code: "BAD_SETTINGS",
    message: expect.stringMatching(/^NATS_CREDS names \/nowhere\/a\.creds/),
  });
});

test("TLS is checked against NATS_CA, and a certificate of ours is shown", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-tls-"));
  const file = (name: string) => path.join(folder, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      ...curve,
      "-keyout",
      file("key.pem"),
      "-out",
      file("cert.pem"),
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
    ],
    { stdio: "ignore" },
  );
  const paths = `cert_file: "${file("cert.pem")}", key_file: "${file("key.pem")}", ca_file: "${file("cert.pem")}"`;
  await using server = await startNats({ configuration: `tls { ${paths}, verify: true }` });
  const url = `nats://localhost:${server.port}`;
  const ours = { NATS_CERT: file("cert.pem"), NATS_KEY: file("key.pem") };
  await using nats = await openNats(settings({ NATS_URL: url, NATS_CA: file("cert.pem"), ...ours }), quiet);
  expect(nats.isConnected()).toBe(true);
  const { log, said } = waitForLog();
  const stop = new AbortController();
  const waits = said("waiting for NATS");
  const untrusted = openNats(settings({ NATS_URL: url, ...ours }), { name: "test", log, signal: stop.signal });
  await waits;
  stop.abort(new Error("stopped by the test"));
  await expect(untrusted).rejects.toThrow("stopped by the test");
  await rm(folder, { recursive: true });
});
