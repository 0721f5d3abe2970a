// Rendering, in JavaScript. Nothing here knows of workflows.
import { execFileSync } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

// The workflow stands in the same file, with options that the loader can't find: buf can.
const described = execFileSync("buf", ["build", ".", "--as-file-descriptor-set", "-o", "-"]);
const { report } = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(described, { keepCase: true }));

const server = new grpc.Server();
server.addService(report.v1.RenderService.service, {
  Render: async ({ request: { chapter } }, answer) => {
    await setTimeout(500);
    console.log(`rendered ${chapter}`);
    answer(null, { pages: chapter.length });
  },
});
const address = `127.0.0.1:${process.env.PORT}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`render listens on ${address}`);
});
