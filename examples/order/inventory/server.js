"use strict";

// The inventory service: node inventory/server.js --port 50051 --journal inventory.jsonl
const { parseArgs } = require("node:util");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");
const { openJournal } = require("./journal.js");
const { openWarehouse, UnknownSku } = require("./warehouse.js");

const { values: options } = parseArgs({
  options: {
    host: { type: "string", default: process.env.HOST ?? "127.0.0.1" },
    port: { type: "string", default: process.env.PORT ?? "50051" },
    journal: { type: "string", default: process.env.JOURNAL ?? "inventory.jsonl" },
  },
});

const definition = protoLoader.loadSync("inventory/v1/inventory.proto", {
  includeDirs: [path.join(__dirname, "../proto")],
  keepCase: true,
  longs: String,
  defaults: true,
});
const { InventoryService } = grpc.loadPackageDefinition(definition).inventory.v1;

const journal = openJournal(options.journal);
const warehouse = openWarehouse(journal.effects());

/** Answers a call once per idempotency key; the same key again gets the same answer. */
function once(method, work) {
  return (call, callback) => {
    const key = String(call.metadata.get("idempotency-key")[0] ?? "");
    const known = journal.answerOf(method, key);
    if (known !== undefined) {
      journal.append({ method, key, order: call.request.order_id, outcome: "repeat" });
      callback(null, known);
      return;
    }
    try {
      const { answer, moved } = work(call.request);
      journal.append({ method, key, order: call.request.order_id, outcome: "effect", answer, moved });
      callback(null, answer);
    } catch (error) {
      if (!(error instanceof UnknownSku)) throw error;
      journal.append({ method, key, order: call.request.order_id, outcome: "refused" });
      callback({ code: grpc.status.NOT_FOUND, details: error.message });
    }
  };
}

const server = new grpc.Server();
server.addService(InventoryService.service, {
  Reserve: once("Reserve", (request) => warehouse.reserve(request.order_id, request.lines)),
  Release: once("Release", (request) => warehouse.release(request.order_id, request.reservation_id)),
});
new ReflectionService(definition).addToServer(server);

server.bindAsync(`${options.host}:${options.port}`, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`inventory listens on ${options.host}:${port}`);
});
process.once("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
process.once("SIGINT", () => server.tryShutdown(() => process.exit(0)));
