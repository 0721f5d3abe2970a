import { Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { sendUnaryData } from "@grpc/grpc-js";
import type { DescMethod } from "@bufbuild/protobuf";
import { newClosing } from "../../../orchestrator/src/grpc/closing.ts";
import { describeServices } from "../../../orchestrator/src/grpc/describedServices.ts";
import { newHealth } from "../../../orchestrator/src/grpc/health.ts";
import { serveReflection } from "../../../orchestrator/src/grpc/reflection.ts";
import { HealthService } from "../../../proto/gen/grpc/health/v1/health.ts";
import { statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { codeName } from "../../../proto/wire/status.ts";
import type { LoadedStub } from "./loadStubs.ts";
import type { AnswerCall, StubAnswer } from "./stubAnswer.ts";

/** A gRPC server that answers in place of services, with reflection and health as they have them. */
export interface StubServer extends AsyncDisposable {
  readonly port: number;
}

export interface StubServerOptions {
  /** google.protobuf.FileDescriptorSet. */
  readonly image: Uint8Array;
  readonly stubs: readonly LoadedStub[];
  /** 0: a free one. */
  readonly port: number;
  /** A call has been answered, or left without an answer. */
  readonly told: (method: string, outcome: string) => void;
}

const largest = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const asIs = (bytes: Buffer): Buffer => bytes;

/** Listens on loopback. Throws when it can't. */
export async function openStubServer({ image, stubs, port, told }: StubServerOptions): Promise<StubServer> {
  const server = new Server(largest);
  const closing = newClosing();
  const names = stubs.map(({ service }) => service.typeName);
  const described = describeServices([{ services: names, descriptors: image }]);
  const addBidi: Parameters<typeof serveReflection>[0]["addBidi"] = ({ path, handler, serialize, deserialize }) =>
    void server.register(path, handler, serialize, deserialize, "bidi");
  serveReflection({ addBidi }, () => Promise.resolve(described), closing);
  const health = newHealth(closing);
  health.update(true, names);
  server.addService(HealthService, health.service);
  for (const { service, answer } of stubs) for (const method of service.methods) register(server, method, answer, told);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, got) =>
      error === null ? resolve(got) : reject(error),
    );
  });
  return {
    port: bound,
    [Symbol.asyncDispose]: () => {
      closing.close();
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** What of a call goes on until it has been answered or its caller has left. */
interface Answering {
  readonly send: (message: Uint8Array) => void;
  readonly end: () => void;
  readonly fail: (failure: { readonly code: number; readonly details: string; readonly metadata: Metadata }) => void;
  readonly hasLeft: () => boolean;
}

function register(server: Server, method: DescMethod, answer: AnswerCall, told: StubServerOptions["told"]): void {
  const name = `${method.parent.typeName}/${method.name}`;
  const path = `/${name}`;
  const finish = async (given: StubAnswer, call: Answering): Promise<void> => {
    await passed(given.delayMs);
    if (!call.hasLeft()) told(name, carryOut(given.end, call));
  };
  switch (method.methodKind) {
    case "unary": {
      const handle = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void =>
        void finish(answer(method, call.request), ofUnary(call, callback));
      return void server.register(path, handle, asIs, asIs, "unary");
    }
    case "client_streaming": {
      const handle = (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
        let first: Buffer | undefined;
        call.on("data", (message: Buffer) => void (first ??= message));
        call.on("end", () => void finish(answer(method, first ?? Buffer.alloc(0)), ofUnary(call, callback)));
      };
      return void server.register(path, handle, asIs, asIs, "clientStream");
    }
    case "server_streaming": {
      const handle = (call: ServerWritableStream<Buffer, Buffer>): void =>
        void finish(answer(method, call.request), ofStream(call));
      return void server.register(path, handle, asIs, asIs, "serverStream");
    }
    case "bidi_streaming": {
      const handle = (call: ServerDuplexStream<Buffer, Buffer>): void => {
        const each = { ...ofStream(call), end: () => undefined };
        // One after the other: a client may have said all it has to say before the first answer.
        let last = Promise.resolve();
        call.on("data", (message: Buffer) => void (last = last.then(() => finish(answer(method, message), each))));
        call.on("end", () => void last.then(() => call.end()));
      };
      return void server.register(path, handle, asIs, asIs, "bidi");
    }
  }
}

function ofUnary(call: { readonly cancelled: boolean }, callback: sendUnaryData<Buffer>): Answering {
  let message: Uint8Array = new Uint8Array();
  return {
    send: (given) => void (message = given),
    end: () => callback(null, Buffer.from(message)),
    fail: (failure) => callback(failure),
    hasLeft: () => call.cancelled,
  };
}

function ofStream(call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>): Answering {
  return {
    send: (message) => void call.write(Buffer.from(message)),
    end: () => void call.end(),
    fail: (failure) => void call.emit("error", failure),
    hasLeft: () => call.cancelled,
  };
}

/** Says what was done. */
function carryOut(end: StubAnswer["end"], call: Answering): string {
  switch (end.kind) {
    case "answered":
      for (const message of end.messages) call.send(message);
      call.end();
      return "answered";
    case "failed": {
      const metadata = new Metadata();
      if (end.details.length > 0) metadata.set(statusDetailsTrailer, Buffer.from(end.details));
      call.fail({ code: end.code, details: end.message, metadata });
      return `failed with ${codeName(end.code)}`;
    }
    case "lost":
      return "lost: the caller is left without an answer";
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
