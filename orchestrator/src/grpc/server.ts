import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthService } from "../../../proto/gen/grpc/health/v1/health.ts";
import { DefinitionsService } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { RunsService } from "../../../proto/gen/sidestep/v1/runs.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Catalog } from "./catalog.ts";
import { newClosing } from "./closing.ts";
import { definitionsService } from "./definitionsService.ts";
import { openDescriptions } from "./descriptions.ts";
import { newHealth } from "./health.ts";
import { serveWorkflows } from "./ingress.ts";
import type { ListsOptions } from "./listing.ts";
import type { LimitStore } from "./methodLimits.ts";
import { serveReflection } from "./reflection.ts";
import { runsService } from "./runs.ts";
import type { ShowTrace } from "./runs.ts";
import { openSignals } from "./signals.ts";
import type { IngressOptions } from "./starting.ts";

export interface FrontServerOptions extends Omit<IngressOptions, "closing">, ListsOptions {
  readonly catalog: Catalog;
  readonly limits: LimitStore;
  readonly showTrace: ShowTrace;
  /** "127.0.0.1:7420"; port 0 lets the system choose. */
  readonly address: string;
  /** Largest image that Deploy takes, and so the largest message. */
  readonly deployBytesMax: number;
}

/** The orchestrator's gRPC server. */
export interface FrontServer extends AsyncDisposable {
  readonly port: number;
  /** Whether health says SERVING. */
  setServing(isServing: boolean): void;
  /** Takes no new calls, sends waiting callers away with UNAVAILABLE, and resolves when all calls have been answered. */
  drain(): Promise<void>;
}

/** Serves the workflows, our own services, reflection and health. Throws when the address can't be had. */
export async function openFrontServer(options: FrontServerOptions): Promise<FrontServer> {
  const { definitions, log } = options;
  const closing = newClosing();
  const ingress: IngressOptions = { ...options, closing };
  const signals = openSignals(ingress);
  const server = new Server({
    "grpc.max_receive_message_length": options.deployBytesMax,
    "grpc.max_send_message_length": -1,
    // A caller may wait for days; a dead connection is noticed in a minute.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  const health = newHealth(closing);
  let isServing = false;
  server.addService(
    RunsService,
    runsService({
      ...ingress,
      catalog: options.catalog,
      limits: options.limits,
      showTrace: options.showTrace,
      lists: options.lists,
      signals,
    }),
  );
  server.addService(DefinitionsService, definitionsService(definitions));
  server.addService(HealthService, health.service);
  const tellHealth = (): void => health.update(isServing, descriptions.services());
  const descriptions = openDescriptions(definitions, log, tellHealth);
  serveReflection(server, () => descriptions.read(), closing);
  const stopWorkflows = serveWorkflows(server, ingress, signals);
  const port = await bind(server, options.address);
  log.info("the front door is open", { address: options.address, port });
  const drain = async (): Promise<void> => {
    isServing = false;
    tellHealth();
    closing.close();
    await new Promise<void>((resolve) => {
      server.tryShutdown((error) => {
        if (error !== undefined) log.debug("the server was closed already", { error: errorText(error) });
        resolve();
      });
    });
  };
  return {
    port,
    setServing: (is) => {
      isServing = is;
      tellHealth();
    },
    drain,
    [Symbol.asyncDispose]: () => {
      stopWorkflows();
      descriptions[Symbol.dispose]();
      closing.close();
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`the front door can't listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
