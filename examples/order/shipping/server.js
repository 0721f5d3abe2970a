// The shipping service: node shipping/server.js --port 50053 --journal shipping.jsonl
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { HealthImplementation } from "grpc-health-check";
import { book, label, quote, Refusal } from "./carrier.js";
import { openJournal } from "./journal.js";

const { values: options } = parseArgs({
  options: {
    host: { type: "string", default: process.env.HOST ?? "127.0.0.1" },
    port: { type: "string", default: process.env.PORT ?? "50053" },
    journal: { type: "string", default: process.env.JOURNAL ?? "shipping.jsonl" },
  },
});
// How long the carrier takes to book a parcel that is not express.
const bookingMs = Number(process.env.SHIP_DELAY_MS ?? 0);
// The first so many bookings find nobody at the carrier's.
let outages = Number(process.env.SHIP_OUTAGES ?? 0);

const definition = protoLoader.loadSync("shipping/v1/shipping.proto", {
  includeDirs: [path.join(import.meta.dirname, "../proto")],
  keepCase: true,
  longs: String,
  defaults: true,
});
const { ShippingService } = grpc.loadPackageDefinition(definition).shipping.v1;
const journal = openJournal(options.journal);

async function ship(request) {
  const { order_id, express } = request;
  if (outages > 0) {
    outages -= 1;
    throw new Refusal(grpc.status.UNAVAILABLE, "the carrier does not answer");
  }
  if (!express && bookingMs > 0) {
    console.log(`order ${order_id}: waiting for the carrier's desk`);
    await pause(bookingMs);
  }
  return book(request);
}

async function print(request) {
  return label(request);
}

async function cancel() {
  return {};
}

/** Does the work of a key once, however often it is asked, also while the first asker still waits. */
function once(method, work) {
  const running = new Map();
  const answer = async (key, request) => {
    const known = journal.answerOf(method, key) ?? running.get(key);
    if (known !== undefined) {
      journal.append({ method, key, order: request.order_id, outcome: "repeat" });
      return known;
    }
    const working = work(request);
    if (key !== "") running.set(key, working);
    try {
      const result = await working;
      journal.append({ method, key, order: request.order_id, outcome: "effect", answer: result });
      return result;
    } catch (error) {
      journal.append({ method, key, order: request.order_id, outcome: "refused" });
      throw error;
    } finally {
      running.delete(key);
    }
  };
  return (call, callback) => {
    const key = String(call.metadata.get("idempotency-key")[0] ?? "");
    answer(key, call.request).then((result) => callback(null, result), callback);
  };
}

const server = new grpc.Server();
server.addService(ShippingService.service, {
  Quote: (call, callback) => callback(null, quote(call.request)),
  Label: once("Label", print),
  Ship: once("Ship", ship),
  Cancel: once("Cancel", cancel),
});
const health = new HealthImplementation({ "": "SERVING", "shipping.v1.ShippingService": "SERVING" });
health.addToServer(server);

server.bindAsync(`${options.host}:${options.port}`, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`shipping listens on ${options.host}:${port}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    health.setStatus("", "NOT_SERVING");
    health.setStatus("shipping.v1.ShippingService", "NOT_SERVING");
    server.tryShutdown(() => process.exit(0));
  });
}
