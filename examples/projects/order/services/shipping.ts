// Shipping, in TypeScript, which Node runs as it is. Nothing here knows of workflows.
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

interface ShipRequest {
  readonly order_id: string;
  readonly address: string;
}

interface ShipResponse {
  readonly tracking: string;
}

const proto = path.join(import.meta.dirname, "../proto");
const definition = loader.loadSync("shipping/v1/shipping.proto", { includeDirs: [proto], keepCase: true });
const service = definition["shipping.v1.ShippingService"] as grpc.ServiceDefinition;
const shipped = new Map<string, string>();

const server = new grpc.Server();
server.addService(service, {
  Ship: ({ request }: grpc.ServerUnaryCall<ShipRequest, ShipResponse>, answer: grpc.sendUnaryData<ShipResponse>) => {
    if (/moon/i.test(request.address))
      return answer({ code: grpc.status.FAILED_PRECONDITION, details: "no carrier goes there" });
    const tracking = shipped.get(request.order_id) ?? `t-${request.order_id}`;
    if (!shipped.has(request.order_id)) console.log(`shipped ${request.order_id} to ${request.address}`);
    shipped.set(request.order_id, tracking);
    return answer(null, { tracking });
  },
});
const address = `127.0.0.1:${process.env["PORT"]}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log(`shipping listens on ${address}`);
});
