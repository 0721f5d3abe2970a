// Thumbnails, in TypeScript, which Node runs as it is. Nothing here knows of workflows.
import { setTimeout } from "node:timers/promises";
import { execFileSync } from "node:child_process";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

interface ShrinkRequest {
  readonly picture: string;
}

interface ShrinkResponse {
  readonly thumbnail: string;
}

// The workflow stands in the same file, with options that the loader can't find: buf can.
const described = execFileSync("buf", ["build", ".", "--as-file-descriptor-set", "-o", "-"]);
const definition = loader.loadFileDescriptorSetFromBuffer(described, { keepCase: true });
const service = definition["gallery.v1.ThumbnailService"] as grpc.ServiceDefinition;

const server = new grpc.Server();
server.addService(service, {
  Shrink: async (
    { request }: grpc.ServerUnaryCall<ShrinkRequest, ShrinkResponse>,
    answer: grpc.sendUnaryData<ShrinkResponse>,
  ) => {
    await setTimeout(300);
    if (!/\.(png|jpe?g)$/.test(request.picture))
      return answer({ code: grpc.status.INVALID_ARGUMENT, details: `${request.picture} is no picture` });
    console.log(`shrank ${request.picture}`);
    return answer(null, { thumbnail: request.picture.replace(/(\.\w+)$/, "-small$1") });
  },
});
const address = `127.0.0.1:${process.env["PORT"]}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log(`thumbnails listens on ${address}`);
});
