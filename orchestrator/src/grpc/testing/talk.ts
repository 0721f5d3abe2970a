import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { ErrorInfo, RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { RunsClient } from "../../../../proto/gen/sidestep/v1/runs.ts";
import { makeExpression } from "../../engine/testing/expression.ts";
import { fakeDefinitions, fakeFront, makeEntry, makePlan, openTestServer } from "../testing.ts";
import type { FakeDefinitions, FakeFront } from "../testing.ts";

export const flow = "test.v1.Flows/Flow";
export const approve = "test.v1.Flows/Approve";
export const status1 = "test.v1.Flows/Status";

export const key = makeExpression("string", "input", "key");
/** Takes signals and a query. */
export const talkPlan = makePlan({
  signals: [
    { name: "approved", type: "google.protobuf.StringValue", method: approve, key, start: undefined },
    { name: "told", type: "google.protobuf.StringValue", method: "", key: undefined, start: undefined },
  ],
  queries: [
    {
      method: status1,
      requestType: "google.protobuf.StringValue",
      responseType: "google.protobuf.StringValue",
      key,
      output: makeExpression("kept", "query", "output"),
    },
  ],
});

/** google.protobuf.StringValue */
export function text(value: string): Buffer {
  return Buffer.from([0x0a, value.length, ...Buffer.from(value)]);
}

export interface Open {
  readonly front: FakeFront;
  readonly definitions: FakeDefinitions;
  readonly runs: RunsClient;
  readonly send: (method: string, request: Uint8Array, headers?: Readonly<Record<string, string>>) => Promise<Told>;
  readonly client: Client;
}

export interface Told {
  readonly code: number;
  readonly reason: string;
  readonly bytes: Buffer | undefined;
  readonly runId: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A front door with a signal, a query and what a test tells it; closed with the scope. */
export async function openTalk(closing: AsyncDisposableStack, streaming = false): Promise<Open> {
  const front = fakeFront();
  front.plan = talkPlan;
  const definitions = fakeDefinitions(new Uint8Array());
  definitions.plan = talkPlan;
  definitions.set([makeEntry(flow, 1, { signalMethods: [approve], queryMethods: [status1], streaming })]);
  const server = closing.use(await openTestServer(front, definitions));
  const address = `127.0.0.1:${server.port}`;
  const client = closing.adopt(new Client(address, credentials.createInsecure()), (one) => one.close());
  const runs = closing.adopt(new RunsClient(address, credentials.createInsecure()), (one) => one.close());
  const same = (bytes: Buffer): Buffer => bytes;
  const send: Open["send"] = (method, request, headers = {}) =>
    new Promise((resolve) => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      let runId = "";
      client
        .makeUnaryRequest(`/${method}`, same, same, Buffer.from(request), metadata, (error, bytes) =>
          resolve({ ...detailsOf(error), bytes, runId }),
        )
        .on("metadata", (got) => (runId = String(got.get("sidestep-run-id")[0] ?? "")));
    });
  return { front, definitions, runs, send, client };
}

/** Code, reason and metadata of an error. */
export function detailsOf(error: ServiceError | null): Pick<Told, "code" | "reason" | "metadata"> {
  const trailer = error?.metadata.get("grpc-status-details-bin")[0];
  const details = trailer instanceof Uint8Array ? RpcStatus.decode(trailer).details : [];
  const info = details.find(({ typeUrl }) => typeUrl.endsWith("/google.rpc.ErrorInfo"));
  const { reason, metadata } = ErrorInfo.decode(info?.value ?? new Uint8Array());
  return { code: error?.code ?? status.OK, reason, metadata };
}

/** Calls a method of Runs with a message. */
export function ask<Request, Response>(
  method: (request: Request, answer: (error: ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Pick<Told, "code" | "reason" | "metadata"> & { readonly response: Response }> {
  return new Promise((resolve) => method(request, (error, response) => resolve({ ...detailsOf(error), response })));
}
