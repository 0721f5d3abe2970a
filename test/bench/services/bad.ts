// A service that behaves badly, bench.v1.Bad, with grpc-js. Argument: port.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerUnaryCall, ServerWritableStream, ServiceDefinition } from "@grpc/grpc-js";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

type Answer = (error: null, bytes: Buffer) => void;

const slowMs = 5_000;
const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream = false): ServiceDefinition[string] => ({
  path: `/bench.v1.Bad/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const bodyOf = (bytes: number): Buffer =>
  Buffer.from(new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(new Uint8Array(bytes)).finish());
const large = bodyOf(5 * 2 ** 20);
const drop = bodyOf(64 * 1024);

/** Writes as fast as the other side takes it. */
function flood(call: ServerWritableStream<Buffer, Buffer>): void {
  const write = (): void => {
    while (!call.cancelled && !call.destroyed) if (!call.write(drop)) return void call.once("drain", write);
  };
  call.on("error", () => undefined);
  write();
}

const server = new Server({ "grpc.max_send_message_length": -1 });
server.addService(
  { Slow: method("Slow"), Hang: method("Hang"), Large: method("Large"), Flood: method("Flood", true) },
  {
    Slow: (_call: ServerUnaryCall<Buffer, Buffer>, answer: Answer) =>
      void setTimeout(() => answer(null, Buffer.alloc(0)), slowMs),
    Hang: () => undefined,
    Large: (_call: ServerUnaryCall<Buffer, Buffer>, answer: Answer) => answer(null, large),
    Flood: flood,
  },
);
server.bindAsync(`127.0.0.1:${process.argv[2] ?? "0"}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`READY ${port}`);
});
