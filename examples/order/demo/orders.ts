import path from "node:path";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

/** What a customer asks for: shop.v1.FulfilRequest. */
export interface Order {
  readonly order_id: string;
  readonly customer_id: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly total: { readonly currency: string; readonly units: number };
  readonly pay_by_invoice?: boolean;
  readonly address: string;
}

/** How a call of Fulfil ended. */
export type Answer =
  | { readonly kind: "answered"; readonly runId: string; readonly response: Readonly<Record<string, unknown>> }
  | { readonly kind: "failed"; readonly runId: string; readonly code: string; readonly message: string };

/**
 * A client of the shop that has only the .proto: one unary call of shop.v1.OrderWorkflow/Fulfil. `onRun` is told the run's id as soon as
 * the order is durable.
 */
export function fulfil(
  address: string,
  order: Order,
  {
    onRun,
    headers = {},
  }: { readonly onRun?: (runId: string) => void; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const { Fulfil: method } = contract();
  if (method === undefined) throw new Error("order.proto has no Fulfil");
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata({ waitForReady: true });
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return new Promise<Answer>((resolve) => {
    let runId = "";
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      order,
      metadata,
      { deadline: Date.now() + 60_000 },
      (error, response) => {
        client.close();
        if (error === null)
          resolve({ kind: "answered", runId, response: Object.fromEntries(Object.entries(response ?? {})) });
        else
          resolve({
            kind: "failed",
            runId,
            code: grpc.status[error.code] ?? String(error.code),
            message: error.details,
          });
      },
    );
    call.on("metadata", (answered: grpc.Metadata) => {
      runId = String(answered.get("sidestep-run-id")[0] ?? "");
      onRun?.(runId);
    });
  });
}

/** Tells a waiting order what the reviewer decided: shop.v1.OrderWorkflow/Review. */
export function review(address: string, orderId: string, reviewer: string): Promise<void> {
  const { Review: method } = contract();
  if (method === undefined) throw new Error("order.proto has no Review");
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  return new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      { order_id: orderId, approved: true, reviewer },
      (error) => {
        client.close();
        if (error === null) resolve();
        else reject(error);
      },
    );
  });
}

let loaded: grpc.ServiceDefinition | undefined;

function contract(): grpc.ServiceDefinition {
  const folders = [path.join(import.meta.dirname, "../proto"), path.join(import.meta.dirname, "../../../proto")];
  loaded ??= findService(
    protoLoader.loadSync("shop/v1/order.proto", { includeDirs: folders, keepCase: true, longs: Number }),
    "shop.v1.OrderWorkflow",
  );
  return loaded;
}

function findService(found: protoLoader.PackageDefinition, name: string): grpc.ServiceDefinition {
  const service = found[name];
  if (service === undefined || "format" in service) throw new Error(`order.proto has no service ${name}`);
  return service;
}
