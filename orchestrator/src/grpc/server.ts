import type { Socket } from "node:net";
import { HealthService } from "../../../proto/gen/grpc/health/v1/health.ts";
import { AuditService } from "../../../proto/gen/sidestep/v1/audit.ts";
import { DefinitionsService } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { RunsService } from "../../../proto/gen/sidestep/v1/runs.ts";
import { SchedulesService } from "../../../proto/gen/sidestep/v1/schedules.ts";
import { TriggersService } from "../../../proto/gen/sidestep/v1/triggers.ts";
import { ServicesService } from "../../../proto/gen/sidestep/v1/services.ts";
import { TracesService } from "../../../proto/gen/sidestep/v1/traces.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import type { Admit } from "./access.ts";
import { newAudit } from "./audit.ts";
import { auditService } from "./auditService.ts";
import type { BulksOptions } from "./bulks.ts";
import type { Catalog } from "./catalog.ts";
import { newClosing } from "./closing.ts";
import { definitionsService } from "./definitionsService.ts";
import type { CheckDeploy } from "./definitionsService.ts";
import { openDescriptions } from "./descriptions.ts";
import type { Descriptions } from "./descriptions.ts";
import { openGrpcDoor } from "./grpcDoor.ts";
import { newHealth } from "./health.ts";
import { serveWorkflows } from "./ingress.ts";
import type { ListsOptions } from "./listing.ts";
import type { LimitStore } from "./methodLimits.ts";
import { serveReflection } from "./reflection.ts";
import { openRelay } from "./relay.ts";
import type { Relay, RelayOptions } from "./relay.ts";
import { openRpcs } from "./rpcs.ts";
import type { Rpcs } from "./rpcs.ts";
import type { RunFiles } from "./runFiles.ts";
import { runsService } from "./runs.ts";
import type { ShowTrace } from "./runs.ts";
import { schedulesService } from "./schedulesService.ts";
import type { SchedulesOptions } from "./schedulesService.ts";
import { servicesService } from "./servicesService.ts";
import type { ReadTaskQueues } from "./servicesService.ts";
import type { TellSidecar } from "./sidecarDrain.ts";
import { openSignals } from "./signals.ts";
import { serveOtlp, tracesService } from "./tracesService.ts";
import type { KeptTraces } from "./tracesService.ts";
import type { Triggers } from "../processor/triggers.ts";
import type { IngressOptions } from "./starting.ts";
import type { ShowStep } from "./stepDetails.ts";
import { triggersService } from "./triggersService.ts";

export interface GrpcServerOptions
  extends
    Omit<IngressOptions, "closing">,
    ListsOptions,
    Pick<RelayOptions, "credentials" | "fetchRequest" | "dropRequest"> {
  readonly catalog: Catalog;
  readonly checkDeploy: CheckDeploy;
  readonly files: RunFiles;
  readonly limits: LimitStore;
  readonly bulks: BulksOptions["bulks"];
  readonly audit: AuditStore;
  readonly schedules: SchedulesOptions["schedules"];
  readonly triggers: Triggers;
  readonly readTaskQueues: ReadTaskQueues;
  readonly tellSidecar: TellSidecar;
  readonly showTrace: ShowTrace;
  readonly showStep: ShowStep;
  /** Absent: none are kept. */
  readonly traces?: KeptTraces | undefined;
  /** Base of a Jaeger's pages; absent: traces have no address. */
  readonly jaegerUrl?: string | undefined;
  /** Undefined: everybody may call everything. */
  readonly admit?: Admit | undefined;
  /** Largest image that Deploy takes, and so the largest message. */
  readonly deployBytesMax: number;
}

/** The orchestrator's rpcs, served to connections that somebody else accepts, and inside this process. */
export interface GrpcServer extends AsyncDisposable {
  readonly rpcs: Pick<Rpcs, "find">;
  readonly descriptions: Pick<Descriptions, "services" | "contractOf">;
  /** Carries out calls that services make through their sidecars. */
  readonly relay: Relay;
  /** Speaks HTTP/2 on a connection. */
  accept(socket: Socket): void;
  /** Whether health says SERVING. */
  setServing(isServing: boolean): void;
  /** Takes no new calls, sends waiting callers away with UNAVAILABLE, and resolves when all calls have been answered. */
  drain(): Promise<void>;
}

/** Serves the workflows, our own services, reflection and health. */
export function openGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { definitions, log } = options;
  const closing = newClosing();
  const ingress: IngressOptions = { ...options, closing };
  const signals = openSignals(ingress);
  const rpcs = openRpcs({ admit: options.admit, audit: newAudit(options.audit, Date.now) });
  const health = newHealth(closing);
  let isServing = false;
  rpcs.addService(RunsService, runsService({ ...options, closing, signals }));
  rpcs.addService(DefinitionsService, definitionsService(definitions, options.checkDeploy));
  rpcs.addService(ServicesService, servicesService(options));
  rpcs.addService(SchedulesService, schedulesService(options));
  rpcs.addService(TracesService, tracesService(options.traces));
  if (options.traces !== undefined) serveOtlp(rpcs, options.traces);
  rpcs.addService(TriggersService, triggersService(options.triggers));
  rpcs.addService(AuditService, auditService(options.audit));
  rpcs.addService(HealthService, health.service);
  const tellHealth = (): void => health.update(isServing, descriptions.services());
  const descriptions = openDescriptions(definitions, log, tellHealth);
  serveReflection(rpcs, () => descriptions.read(), closing);
  const stopWorkflows = serveWorkflows(rpcs, ingress, signals);
  const door = openGrpcDoor({ rpcs, messageBytesMax: options.deployBytesMax, log });
  const relay = openRelay({ ...options, closing, rpcs });
  const drain = async (): Promise<void> => {
    isServing = false;
    tellHealth();
    closing.close();
    await Promise.all([door.drain(), relay.idle()]);
  };
  return {
    rpcs,
    descriptions,
    relay,
    accept: (socket) => door.accept(socket),
    setServing: (is) => {
      isServing = is;
      tellHealth();
    },
    drain,
    [Symbol.asyncDispose]: () => {
      stopWorkflows();
      descriptions[Symbol.dispose]();
      closing.close();
      door[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}
