// @ts-check
// Shipping, in JavaScript whose types stand in comments: TypeScript checks it, and Node 20 runs it. Nothing here knows of workflows.
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

/** @typedef {{ readonly order_id: string, readonly address: string }} ShipRequest */
/** @typedef {{ readonly tracking: string }} ShipResponse */

const proto = path.join(import.meta.dirname, "../proto");
const definition = loader.loadSync("shipping/v1/shipping.proto", { includeDirs: [proto], keepCase: true });
const service = /** @type {grpc.ServiceDefinition} */ (definition["shipping.v1.ShippingService"]);
/** @type {Map<string, string>} */
const shipped = new Map();

/** @type {grpc.handleUnaryCall<ShipRequest, ShipResponse>} */
const Ship = ({ request }, answer) => {
  if (/moon/i.test(request.address))
    return answer({ code: grpc.status.FAILED_PRECONDITION, details: "no carrier goes there" });
  const tracking = shipped.get(request.order_id) ?? `t-${request.order_id}`;
  if (!shipped.has(request.order_id)) console.log(`shipped ${request.order_id} to ${request.address}`);
  shipped.set(request.order_id, tracking);
  return answer(null, { tracking });
};

const server = new grpc.Server();
server.addService(service, { Ship });
const address = `127.0.0.1:${process.env["PORT"]}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log(`shipping listens on ${address}`);
});
