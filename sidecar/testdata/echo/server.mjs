// An ordinary Node service, as its team would write it: grpc-js, proto-loader, and, when asked, reflection and health. It writes a line
// for each call that begins, ends or is cancelled. SIGUSR2 turns serving into not serving and back.
import path from "node:path";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

const { values: options } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:0" },
    reflection: { type: "string", default: "none" },
    health: { type: "string", default: "none" },
    "not-serving": { type: "boolean", default: false },
    cert: { type: "string" },
    key: { type: "string" },
    only: { type: "string" },
    streams: { type: "string" },
  },
});

const root = path.resolve(import.meta.dirname, "../../..");
const definition = protoLoader.loadSync("echo/v1/echo.proto", {
  includeDirs: [path.join(import.meta.dirname, "proto")],
  defaults: true,
});
const { echo } = grpc.loadPackageDefinition(definition);
const server = new grpc.Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  ...(options.streams === undefined ? {} : { "grpc.max_concurrent_streams": Number(options.streams) }),
});
const tell = (what, about) => console.log(`${what} ${JSON.stringify(about)}`);

/** Bytes that differ from one place to the next. */
function fillingOf(size) {
  const filling = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4096) filling.writeUInt32BE(at, at);
  return filling;
}

function say(call, answer) {
  const { text, code, headersFirst, delayMs, details, pushback, answerBytes } = call.request;
  const deadlineMs = call.getDeadline() instanceof Date ? call.getDeadline().getTime() - Date.now() : call.getDeadline() - Date.now();
  tell("begin", { text, metadata: call.metadata.toJSON(), deadlineMs });
  if (headersFirst) call.sendMetadata(new grpc.Metadata());
  const end = () => {
    tell("end", { text });
    if (code === 0) return answer(null, { text, filling: fillingOf(answerBytes) });
    const metadata = new grpc.Metadata();
    if (details.length > 0) metadata.set("grpc-status-details-bin", details);
    if (pushback !== "") metadata.set("grpc-retry-pushback-ms", pushback);
    answer({ code, details: `status ${code}`, metadata });
  };
  const timer = delayMs < 0 ? undefined : setTimeout(end, delayMs);
  call.on("cancelled", () => {
    clearTimeout(timer);
    tell("cancelled", { text });
  });
}

/** One message for each letter of the text. */
function follow(call) {
  for (const text of call.request.text) call.write({ text });
  call.end();
}

server.addService(echo.v1.Echo.service, { Say: say, Follow: follow });
const same = (bytes) => bytes;
const raw = (method) => ({ ...method, requestDeserialize: same, responseSerialize: same });
const { Echo: echoes, Pass: passes } = echo.v1.Raw.service;
const answerSame = (call, answer) => answer(null, call.request);
server.addService({ Echo: raw(echoes), Pass: raw(passes) }, { Echo: answerSame, Pass: answerSame });

const shown = options.only === undefined ? {} : { services: [options.only] };
if (options.reflection !== "none") new ReflectionService(definition, shown).addToServer(server);
if (options.reflection === "v1alpha") server.unregister("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");

if (options.health !== "none") {
  const health = grpc.loadPackageDefinition(
    protoLoader.loadSync("grpc/health/v1/health.proto", { includeDirs: [path.join(root, "runtime/proto")], enums: String, defaults: true }),
  ).grpc.health.v1.Health.service;
  let status = options["not-serving"] ? "NOT_SERVING" : "SERVING";
  const watching = new Set();
  const isKnown = (service) => options.health === "server" ? service === "" : true;
  const implementation = {
    Check: (call, answer) => (isKnown(call.request.service) ? answer(null, { status }) : answer({ code: grpc.status.NOT_FOUND, details: "unknown" })),
  };
  if (options.health !== "check") {
    implementation.Watch = (call) => {
      call.write({ status: isKnown(call.request.service) ? status : "SERVICE_UNKNOWN" });
      watching.add(call);
      call.on("cancelled", () => watching.delete(call));
    };
  }
  server.addService(health, implementation);
  process.on("SIGUSR2", () => {
    status = status === "SERVING" ? "NOT_SERVING" : "SERVING";
    for (const call of watching) call.write({ status });
    console.log(`health ${status}`);
  });
}

const credentials =
  options.cert === undefined
    ? grpc.ServerCredentials.createInsecure()
    : grpc.ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(options.cert), private_key: readFileSync(options.key) }]);
server.bindAsync(options.address, credentials, (error, port) => {
  if (error !== null) throw error;
  console.log(`listening ${port}`);
});
process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
