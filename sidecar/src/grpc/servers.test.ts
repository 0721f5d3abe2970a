import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot, startProgram } from "../../../test/support/program.ts";
import type { Program } from "../../../test/support/program.ts";
import { pythonWithGrpc } from "../../../test/support/python.ts";
import type { CallRequest } from "../ports.ts";
import { startEcho } from "../testing/programs.ts";
import type { CallClient, Tls } from "./callClient.ts";
import { openChannel } from "./channel.ts";
import { GrpcJsClient } from "./grpcJsClient.ts";
import { UnaryClient } from "./unaryClient.ts";

// The same calls to servers of others: grpc-js, and gRPC's C core, which C++, Python and others are made of.

const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-servers-"));
const [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
const made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(" ");
execFileSync("openssl", [...made, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], {
  stdio: "ignore",
});
const trusting: Tls = { ca: readFileSync(cert), cert: undefined, key: undefined };
const secret = ["--cert", cert, "--key", key];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Started = { readonly program: Program; readonly port: string };

async function startPython(...args: readonly string[]): Promise<Started> {
  const script = path.join(repositoryRoot, "sidecar/testdata/echo/server.py");
  const program = await startProgram({
    name: "echo.py",
    command: pythonWithGrpc(),
    args: [script, ...args],
    readyLine: /^listening/,
  });
  return { program, port: program.lines[0]?.split(" ")[1] ?? "" };
}

async function startNode(...args: readonly string[]): Promise<Started> {
  const program = await startEcho(...args);
  return { program, port: program.address.split(":")[1] ?? "" };
}

describe.each([
  ["grpc-js", startNode],
  ["gRPC's C core", startPython],
] as const)("%s", (_, start) => {
  const open: Disposable[] = [];
  let plain: Started;
  let safe: Started;

  beforeAll(async () => {
    [plain, safe] = await Promise.all([start("--streams", "100"), start(...secret)]);
  });

  afterAll(async () => {
    for (const one of open) one[Symbol.dispose]();
    await Promise.all([plain?.program.kill9(), safe?.program.kill9()]);
  });

  function clientOf({ port }: Started, tls?: Tls): UnaryClient {
    const client = new UnaryClient({ text: "echo", address: `localhost:${port}` }, tls);
    open.push(client);
    return client;
  }

  async function echo(client: CallClient, body: Uint8Array, rest: Partial<CallRequest> = {}) {
    const request = { service: "echo.v1.Raw", method: "echo.v1.Raw/Echo", headers: [], timeoutMs: 25_000 };
    const ending = await client.call({ ...request, body, stream: undefined, ...rest }).ending;
    return ending.kind === "answered" ? Buffer.compare(ending.response, body) === 0 : ending;
  }

  test.each([0, 1, 100, 8_191, 8_192, 16_379, 16_380, 65_530, 4 * 1024 * 1024])(
    "%i bytes there and back are the same, plain and by TLS",
    async (size) => {
      const body = randomBytes(size);
      expect(await echo(clientOf(plain), body)).toBe(true);
      expect(await echo(clientOf(safe, trusting), body)).toBe(true);
    },
  );

  test("a thousand calls at once, where a hundred are taken", async () => {
    const client = clientOf(plain);
    const bodies = Array.from({ length: 1_000 }, (__, index) => Buffer.from(`${index} ${"x".repeat(index)}`));
    const echoed = await Promise.all(bodies.map((body) => echo(client, body)));
    expect(echoed.filter((one) => one !== true)).toEqual([]);
  });

  test("large and small calls at once on one connection", async () => {
    const client = clientOf(safe, trusting);
    const bodies = Array.from({ length: 60 }, (__, index) => randomBytes(index % 6 === 0 ? 500_000 : 200));
    const echoed = await Promise.all(bodies.map((body) => echo(client, body)));
    expect(echoed.filter((one) => one !== true)).toEqual([]);
  });

  test("headers of many bytes, and a status of what is not there", async () => {
    const headers = Array.from({ length: 6 }, (__, index) => ({
      key: `x-${index}${index % 2 === 0 ? "-bin" : ""}`,
      value: Buffer.alloc(900, "v"),
    }));
    expect(await echo(clientOf(plain), Buffer.from("x"), { headers })).toBe(true);
    const ending = await echo(clientOf(plain), Buffer.from("x"), { method: "echo.v1.Raw/Nothing" });
    expect(ending).toMatchObject({ kind: "failed", code: 12, origin: "service", sent: true });
  });

  test("calls by grpc-js end as ours do", async () => {
    const target = { text: "echo", address: `localhost:${plain.port}` };
    const channel = openChannel(target, undefined, () => undefined);
    open.push(channel);
    const client = new GrpcJsClient(channel);
    expect(await echo(client, randomBytes(1024 * 1024))).toBe(true);
    const ending = await echo(client, Buffer.from("x"), { method: "echo.v1.Raw/Nothing" });
    expect(ending).toMatchObject({ kind: "failed", code: 12, origin: "service", sent: true });
  });

  test("a certificate that nobody vouches for is not taken, and nothing was sent", async () => {
    const ending = await echo(clientOf(safe, { ...trusting, ca: undefined }), Buffer.from("x"));
    expect(ending).toMatchObject({ kind: "failed", code: 14, origin: "transport", sent: false });
    const unencrypted = await echo(clientOf(safe), Buffer.from("x"));
    expect(unencrypted).toMatchObject({ kind: "failed", code: 14, origin: "transport", sent: false });
  });
});
