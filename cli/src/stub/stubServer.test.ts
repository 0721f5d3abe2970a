import { readFileSync } from "node:fs";
import { mkdtemp, mkdtempDisposable, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HealthClient, HealthCheckResponse_ServingStatus as Status } from "../../../proto/gen/grpc/health/v1/health.ts";
import { toRegistry } from "../../../proto/json/registry.ts";
import { repositoryRoot } from "../../../test/support/program.ts";
import { reflect } from "../../../sidecar/src/grpc/reflection.ts";
import { openServiceLink } from "../../../sidecar/src/grpc/serviceLink.ts";
import { buildImage } from "../buildImage.ts";
import { loadStubs } from "./loadStubs.ts";
import type { LoadedStub } from "./loadStubs.ts";
import { openStubServer } from "./stubServer.ts";

const proto = `syntax = "proto3";
package mail.v1;
service MailService {
  rpc Send(SendRequest) returns (SendResponse);
  rpc Follow(SendRequest) returns (stream SendResponse);
  rpc Upload(stream SendRequest) returns (SendResponse);
  rpc Chat(stream SendRequest) returns (stream SendResponse);
}
service OtherService { rpc Send(SendRequest) returns (SendResponse); }
message SendRequest { string to = 1; }
message SendResponse { string mail_id = 1; int32 position = 2; }
`;
let folder = "";
let image: Uint8Array = new Uint8Array();

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-stub-"));
  await writeFile(path.join(folder, "mail.proto"), proto);
  const built = await buildImage(folder);
  if (built.kind !== "built") throw new Error("the contract does not compile");
  ({ image } = built);
});
afterAll(() => rm(folder, { recursive: true }));

async function load(fixtures?: string, seed = 1): Promise<readonly LoadedStub[]> {
  const file = fixtures === undefined ? undefined : path.join(folder, "fixtures.yaml");
  if (file !== undefined) await writeFile(file, fixtures ?? "");
  const loaded = loadStubs(image, [{ service: "mail.v1.MailService", fixtures: file, seed }], false);
  if (loaded.kind === "wrong") throw new Error(loaded.said.join("\n"));
  return loaded.stubs;
}

interface Stage extends AsyncDisposable {
  readonly address: string;
  readonly client: Client;
  readonly told: readonly string[];
  send(to: string, method?: string): Promise<readonly unknown[]>;
}

async function open(stubs: readonly LoadedStub[]): Promise<Stage> {
  const told: string[] = [];
  const server = await openStubServer({
    image,
    stubs,
    port: 0,
    told: (method, outcome) => told.push(`${method} ${outcome}`),
  });
  const address = `127.0.0.1:${server.port}`;
  const client = new Client(address, credentials.createInsecure());
  const registry = toRegistry();
  const service = stubs[0]?.service;
  return {
    address,
    client,
    told,
    send: (to, name = "Send") =>
      new Promise((resolve, reject) => {
        const method = service?.methods.find((one) => one.name === name);
        if (method === undefined) throw new Error(`no method ${name}`);
        const bytes = Buffer.from(toBinary(method.input, create(method.input, { to })));
        const read = (answer: Buffer): unknown =>
          toJson(method.output, fromBinary(method.output, answer), { registry });
        const as = (it: Buffer): Buffer => it;
        const rpc = `/mail.v1.MailService/${name}`;
        const deadline = { deadline: Date.now() + 10_000 };
        const once = (error: ServiceError | null, answer?: Buffer): void =>
          error === null && answer !== undefined ? resolve([read(answer)]) : reject(error);
        if (method.methodKind === "unary") return void client.makeUnaryRequest(rpc, as, as, bytes, deadline, once);
        if (method.methodKind === "client_streaming") {
          const call = client.makeClientStreamRequest(rpc, as, as, deadline, once);
          call.write(bytes);
          return void call.end();
        }
        if (method.methodKind === "bidi_streaming") {
          const chat = client.makeBidiStreamRequest(rpc, as, as, deadline);
          chat.write(bytes);
          chat.write(bytes);
          chat.end();
          return void collect(chat, read).then(resolve, reject);
        }
        const stream = client.makeServerStreamRequest(rpc, as, as, bytes, deadline);
        return void collect(stream, read).then(resolve, reject);
      }),
    [Symbol.asyncDispose]: async () => {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function collect(stream: AsyncIterable<Buffer>, read: (answer: Buffer) => unknown): Promise<readonly unknown[]> {
  return (await Array.fromAsync(stream)).map(read);
}

test("it is found by reflection and healthy, and shows what is stubbed alone", async () => {
  await using stage = await open(await load());
  const connected = Promise.withResolvers<void>();
  const address = stage.address;
  using link = openServiceLink({ text: address, address }, undefined, () => connected.resolve());
  await connected.promise;
  const found = await reflect(link);
  expect(found).toMatchObject({ version: "v1", services: ["mail.v1.MailService"], failures: [] });
  const health = new HealthClient(stage.client.getChannel().getTarget(), credentials.createInsecure());
  const check = (service: string): Promise<Status | undefined> =>
    new Promise((resolve) => {
      health.check({ service }, (error, answer) => resolve(error === null ? answer.status : undefined));
    });
  expect(await check("mail.v1.MailService")).toBe(Status.SERVING);
  expect(await check("mail.v1.OtherService")).toBeUndefined();
  health.close();
});

test("answers are made up of seed and request: the same for the same", async () => {
  await using stage = await open(await load());
  await using again = await open(await load());
  await using other = await open(await load(undefined, 2));
  const [first] = await stage.send("ada");
  expect(first).toEqual({ mailId: expect.stringMatching(/^mail-/), position: expect.any(Number) });
  expect(await stage.send("ada")).toEqual([first]);
  expect(await again.send("ada")).toEqual([first]);
  expect(await stage.send("grace")).not.toEqual([first]);
  expect(await other.send("ada")).not.toEqual([first]);
  expect(stage.told[0]).toBe("mail.v1.MailService/Send answered");
});

test("each kind of stream is answered", async () => {
  await using stage = await open(await load());
  expect(await stage.send("ada", "Follow")).toHaveLength(3);
  expect(await stage.send("ada", "Upload")).toHaveLength(1);
  expect(await stage.send("ada", "Chat")).toHaveLength(2);
});

test("fixtures answer by what was asked, so many times, with statuses; what they leave out is made up", async () => {
  const fixtures = `mail.v1.MailService/Send:
  - status: { code: UNAVAILABLE, message: away }
    times: 1
  - match: { to: ada }
    answer: { mail_id: for-ada, position: 1 }
mail.v1.MailService/Follow:
  answers: [{ mail_id: one }, { mail_id: two }]
`;
  await using stage = await open(await load(fixtures));
  await expect(stage.send("ada")).rejects.toMatchObject({ code: 14, details: "away" });
  expect(await stage.send("ada")).toEqual([{ mailId: "for-ada", position: 1 }]);
  expect(await stage.send("grace")).toEqual([
    { mailId: expect.stringMatching(/^mail-/), position: expect.any(Number) },
  ]);
  expect(await stage.send("ada", "Follow")).toEqual([{ mailId: "one" }, { mailId: "two" }]);
  expect(stage.told[0]).toBe("mail.v1.MailService/Send failed with UNAVAILABLE");
});

test("a service that no contract has, and fixtures that do not fit, are told with place and hint", async () => {
  const file = path.join(folder, "wrong.yaml");
  await writeFile(file, "mail.v1.MailService/Send:\n  answer: { mail: x }\n");
  const wanted = [
    { service: "mail.v1.MailServic", fixtures: undefined, seed: 1 },
    { service: "mail.v1.MailService", fixtures: file, seed: 1 },
    { service: "mail.v1.OtherService", fixtures: path.join(folder, "none.yaml"), seed: 1 },
  ];
  const loaded = loadStubs(image, wanted, false);
  if (loaded.kind === "stubs") throw new Error("it was taken");
  expect(loaded.problems.map(({ message, hint }) => [message, hint])).toEqual([
    ["no contract has the service mail.v1.MailServic", "did you mean 'mail.v1.MailService'?"],
  ]);
  expect(loaded.said[0]).toMatch(/wrong\.yaml:2:13: error: mail\.v1\.SendResponse has no field 'mail'/);
  expect(loaded.said[1]).toMatch(/^the fixtures of mail\.v1\.OtherService can't be read: .*none\.yaml/);
});

test("the fixtures in docs/dev.md are taken", async () => {
  const page = readFileSync(path.join(repositoryRoot, "docs/dev.md"), "utf8");
  const shown = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(([, text = ""]) =>
    text.includes("/Quote:") ? [text] : [],
  );
  expect(shown).toHaveLength(1);
  await using contracts = await mkdtempDisposable(path.join(os.tmpdir(), "sidestep-stub-"));
  const contract = `syntax = "proto3";
package tax.v1;
service TaxService { rpc Quote(QuoteRequest) returns (QuoteResponse); }
message QuoteRequest { string country = 1; }
message QuoteResponse { double rate = 1; }
`;
  await writeFile(path.join(contracts.path, "tax.proto"), contract);
  await writeFile(path.join(contracts.path, "tax.yaml"), shown[0] ?? "");
  const built = await buildImage(contracts.path);
  if (built.kind !== "built") throw new Error("the contract does not compile");
  const wanted = { service: "tax.v1.TaxService", fixtures: path.join(contracts.path, "tax.yaml"), seed: 7 };
  expect(loadStubs(built.image, [wanted], false).kind).toBe("stubs");
});
