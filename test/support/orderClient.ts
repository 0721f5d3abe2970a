import path from "node:path";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { RunsClient } from "../../proto/gen/sidestep/v1/runs.ts";
import type { GetRunResponse, RunHistoryResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { repositoryRoot } from "./program.ts";

/** An order as a client that knows only the .proto writes it. */
export interface Order {
  readonly order_id: string;
  readonly customer_id: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly total: { readonly currency: string; readonly units: string; readonly nanos: number };
  readonly pay_by_invoice: boolean;
  readonly address: string;
}

/** How a call of shop.v1.OrderWorkflow/Fulfil was answered. */
export type FulfilAnswer =
  | { readonly kind: "ok"; readonly runId: string; readonly response: Readonly<Record<string, unknown>> }
  | { readonly kind: "error"; readonly runId: string; readonly error: grpc.ServiceError };

export interface OrderClient extends AsyncDisposable {
  readonly runs: RunsClient;
  /** One call; `runId` is empty when the start did not become durable. */
  readonly fulfil: (order: Order, timeoutMs: number) => Promise<FulfilAnswer>;
  readonly get: (runId: string) => Promise<GetRunResponse>;
  readonly history: (runId: string) => Promise<RunHistoryResponse>;
}

const definition = protoLoader.loadSync("shop/v1/order.proto", {
  includeDirs: [path.join(repositoryRoot, "examples/order/proto"), path.join(repositoryRoot, "proto")],
  keepCase: true,
  longs: String,
});

/** Calls the front door of an orchestrator with grpc-js and proto-loader, as any Node program would. */
export function openOrderClient(address: string): OrderClient {
  const service = definition["shop.v1.OrderWorkflow"] as grpc.ServiceDefinition;
  const OrderWorkflow = grpc.makeClientConstructor(service, "OrderWorkflow");
  const insecure = grpc.credentials.createInsecure();
  const options = { "grpc.max_reconnect_backoff_ms": 500, "grpc.initial_reconnect_backoff_ms": 50 };
  const workflows = new OrderWorkflow(address, insecure, options);
  const runs = new RunsClient(address, insecure, options);
  const soon = (): grpc.CallOptions => ({ deadline: Date.now() + 15_000 });
  return {
    runs,
    fulfil: (order, timeoutMs) =>
      new Promise((resolve) => {
        let runId = "";
        const fulfil = workflows["Fulfil"]?.bind(workflows);
        const call = fulfil?.(
          order,
          { deadline: Date.now() + timeoutMs },
          (error: grpc.ServiceError | null, response: Readonly<Record<string, unknown>>) => {
            if (error === null) resolve({ kind: "ok", runId, response });
            else resolve({ kind: "error", runId, error });
          },
        );
        call?.on("metadata", (metadata: grpc.Metadata) => {
          runId = String(metadata.get("sidestep-run-id")[0] ?? "");
        });
      }),
    get: (runId) =>
      new Promise((resolve, reject) => {
        runs.get({ runId }, new grpc.Metadata(), soon(), (error, answer) => (error ? reject(error) : resolve(answer)));
      }),
    history: (runId) =>
      new Promise((resolve, reject) => {
        runs.history({ runId, pageSize: 0, pageToken: "" }, new grpc.Metadata(), soon(), (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      }),
    [Symbol.asyncDispose]: async () => {
      workflows.close();
      runs.close();
    },
  };
}

/** A good order; above 1,000 units a card is declined. */
export function makeOrder(id: string, units = 120): Order {
  return {
    order_id: id,
    customer_id: "c-1",
    items: [{ sku: "mug", quantity: 1 }],
    total: { currency: "EUR", units: String(units), nanos: 0 },
    pay_by_invoice: false,
    address: "1 Main Street",
  };
}
