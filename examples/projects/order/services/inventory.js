// The inventory, in JavaScript. Nothing here knows of workflows.
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = path.join(import.meta.dirname, "../proto");
const { inventory } = grpc.loadPackageDefinition(
  loader.loadSync("inventory/v1/inventory.proto", { includeDirs: [proto], keepCase: true }),
);
const stock = new Map([
  ["mug", 100],
  ["lamp", 3],
]);
/** By order: asked again, an order is answered as before. */
const reserved = new Map();

const server = new grpc.Server();
server.addService(inventory.v1.InventoryService.service, {
  Reserve: ({ request: { order_id, sku, quantity } }, answer) => {
    if (!reserved.has(order_id)) {
      const left = stock.get(sku) ?? 0;
      if (left < quantity)
        return answer({ code: grpc.status.FAILED_PRECONDITION, details: `${left} of ${sku} are left` });
      stock.set(sku, left - quantity);
      reserved.set(order_id, { sku, quantity });
      console.log(`reserved ${quantity} ${sku} for ${order_id}`);
    }
    return answer(null, { reservation_id: `r-${order_id}` });
  },
  Release: ({ request: { order_id } }, answer) => {
    const found = reserved.get(order_id);
    if (found !== undefined) {
      stock.set(found.sku, stock.get(found.sku) + found.quantity);
      reserved.delete(order_id);
      console.log(`released ${order_id}`);
    }
    answer(null, {});
  },
});
const address = `127.0.0.1:${process.env.PORT}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`inventory listens on ${address}`);
});
