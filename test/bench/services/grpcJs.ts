// The service of the benchmark: grpc-js, answers the bytes it is asked. Argument: port. Both the floor and the product call it.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServiceDefinition } from "@grpc/grpc-js";

const same = (bytes: Buffer): Buffer => bytes;
const definition: ServiceDefinition = {
  Say: {
    path: "/bench.v1.Echo/Say",
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};
const server = new Server();
server.addService(definition, {
  Say: (call: { request: Buffer }, answer: (error: null, bytes: Buffer) => void) => answer(null, call.request),
});
server.bindAsync(`127.0.0.1:${process.argv[2] ?? "0"}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`READY ${port}`);
});
