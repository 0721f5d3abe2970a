import { Server, ServerCredentials } from "@grpc/grpc-js";
import { imageBase64 } from "../../../proto/gen/image.ts";
import { HealthService } from "../../../proto/gen/grpc/health/v1/health.ts";
import { DefinitionsService } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { RunsService } from "../../../proto/gen/sidestep/v1/runs.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { Catalog } from "./catalog.ts";
import { newClosing } from "./closing.ts";
import { definitionsService } from "./definitionsService.ts";
import { describeServices } from "./describedServices.ts";
import type { Contract, DescribedServices } from "./describedServices.ts";
import { newHealth } from "./health.ts";
import { serveWorkflows } from "./ingress.ts";
import type { LimitStore } from "./methodLimits.ts";
import { serveReflection } from "./reflection.ts";
import { runsService } from "./runs.ts";
import type { ShowTrace } from "./runs.ts";
import { openSignals } from "./signals.ts";
import type { IngressOptions } from "./starting.ts";

export interface FrontServerOptions extends Omit<IngressOptions, "closing"> {
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

const ownServices = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "sidestep.v1.Definitions",
  "sidestep.v1.Runs",
];
const describeAgainMs = 1_000;

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
  let described = describeServices([own]);
  let isServing = false;
  server.addService(
    RunsService,
    runsService({
      ...ingress,
      catalog: options.catalog,
      limits: options.limits,
      showTrace: options.showTrace,
      signals,
    }),
  );
  server.addService(DefinitionsService, definitionsService(definitions));
  server.addService(HealthService, health.service);
  serveReflection(server, () => described, closing);
  const stopWorkflows = serveWorkflows(server, ingress, signals);
  const stopDescribing = keepDescribed(options, (next) => {
    described = next;
    health.update(isServing, described.services);
  });
  const port = await bind(server, options.address);
  log.info("the front door is open", { address: options.address, port });
  const drain = async (): Promise<void> => {
    isServing = false;
    health.update(false, described.services);
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
      health.update(is, described.services);
    },
    drain,
    [Symbol.asyncDispose]: () => {
      stopWorkflows();
      stopDescribing();
      closing.close();
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

const own: Contract = { services: ownServices, descriptors: Buffer.from(imageBase64, "base64") };

/** Tells what is to be shown, now and after each deploy; what can't be read is tried again. */
function keepDescribed(
  { definitions, log }: FrontServerOptions,
  tell: (described: DescribedServices) => void,
): () => void {
  let round = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = async (mine: number): Promise<void> => {
    try {
      const contracts = await readContracts(definitions);
      if (mine === round) tell(describeServices([own, ...contracts]));
    } catch (error) {
      if (mine !== round) return;
      log.warn("contracts can't be read; reflection shows those of before", { error: errorText(error) });
      timer = setTimeout(() => void look(mine), describeAgainMs).unref();
    }
  };
  const begin = (): void => {
    clearTimeout(timer);
    round += 1;
    void look(round);
  };
  const stop = definitions.onChange(begin);
  begin();
  return () => {
    round += 1;
    clearTimeout(timer);
    stop();
  };
}

/** One contract for each service with an active workflow; all workflows of a service are deployed together. */
async function readContracts(definitions: Definitions): Promise<readonly Contract[]> {
  const active = definitions.list().filter(({ activeVersion }) => activeVersion !== 0);
  const hashes = new Map(active.map(({ workflow, contractHash }) => [splitMethod(workflow).service, contractHash]));
  const read = [...hashes].map(async ([service, hash]): Promise<readonly Contract[]> => {
    const descriptors = await definitions.contract(hash);
    return descriptors === undefined ? [] : [{ services: [service], descriptors }];
  });
  return (await Promise.all(read)).flat();
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`the front door can't listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
