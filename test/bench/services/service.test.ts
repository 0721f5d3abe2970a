import { Client, credentials, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { parseTarget } from "../../../sidecar/src/grpc/target.ts";
import { UnaryClient } from "../../../sidecar/src/grpc/unaryClient.ts";
import { startService } from "./service.ts";

test("the service on plain sockets answers grpc-js and the sidecar's client alike, and knows one method", async () => {
  const { program, address } = await startService("plain");
  await using stopped = program;
  expect(stopped.isRunning()).toBe(true);
  const client = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (method: string, body: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(method, same, same, body, (error: ServiceError | null, answer?: Buffer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
      );
    });
  const bodies = Array.from({ length: 2_000 }, (_, i) => Buffer.alloc(i % 400, i));
  const answers = await Promise.all(bodies.map((body) => call("/bench.v1.Echo/Say", body)));
  expect(answers.every((answer, i) => answer.equals(bodies[i] as Buffer))).toBe(true);
  await expect(call("/grpc.health.v1.Health/Check", Buffer.alloc(0))).rejects.toMatchObject({
    code: status.UNIMPLEMENTED,
  });
  client.close();
  const target = parseTarget(address);
  if (target === undefined) throw new Error("no address");
  using own = new UnaryClient(target, undefined);
  const endings = await Promise.all(
    bodies.map(
      (body, i) =>
        own.call({
          service: "bench.v1.Echo",
          method: "bench.v1.Echo/Say",
          body,
          headers: [{ key: "sidestep-attempt", value: Buffer.from(`attempt ${i}`) }],
          timeoutMs: 10_000,
          stream: undefined,
        }).ending,
    ),
  );
  expect(endings.every((it, i) => it.kind === "answered" && Buffer.from(it.response).equals(bodies[i] as Buffer))).toBe(
    true,
  );
});
