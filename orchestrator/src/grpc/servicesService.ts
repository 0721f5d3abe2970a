import type { HeldTarget, MethodLimit } from "../../../proto/gen/sidestep/v1/runs.ts";
import { ServiceMethod_Offer } from "../../../proto/gen/sidestep/v1/services.ts";
import type { ServiceMethod, ServicesServer, ServiceStatus } from "../../../proto/gen/sidestep/v1/services.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import { actorOf } from "./access.ts";
import type { Catalog, KnownSidecar } from "./catalog.ts";
import { refusalFailure } from "./failure.ts";
import { listHolds } from "./heldTargets.ts";
import { listLimits } from "./methodLimits.ts";
import type { LimitStore } from "./methodLimits.ts";
import { orderSidecar } from "./sidecarDrain.ts";
import type { DrainGround } from "./sidecarDrain.ts";
import { toSidecars } from "./sidecarStatus.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Tasks by service: those nobody has been given, and those in the hands of sidecars. Throws when NATS does not answer. */
export type ReadTaskQueues = () => Promise<
  readonly { readonly service: string; readonly waiting: number; readonly inHands: number }[]
>;

/** What sidestep.v1.Services needs. */
export interface ServicesGround extends Pick<IngressOptions, "front">, DrainGround {
  readonly definitions: Pick<Definitions, "list">;
  readonly limits: LimitStore;
  readonly readTaskQueues: ReadTaskQueues;
}

/** sidestep.v1.Services. */
export function servicesService(ground: ServicesGround): ServicesServer {
  return {
    listServices: unary(() => listServices(ground)),
    listSidecars: unary(() => Promise.resolve(done({ sidecars: toSidecars(ground.catalog.sidecars()) }))),
    drainSidecar: unary(({ request: { sidecarId, reason }, metadata }) =>
      orderSidecar({ sidecarId, lifted: false, reason, actor: actorOf(metadata) }, ground),
    ),
    resumeSidecar: unary(({ request: { sidecarId, reason }, metadata }) =>
      orderSidecar({ sidecarId, lifted: true, reason, actor: actorOf(metadata) }, ground),
    ),
  };
}

/** What is known of the services, put together by name. */
interface Known {
  readonly sidecars: readonly KnownSidecar[];
  /** Workflows by the methods that their active versions call. */
  readonly callers: ReadonlyMap<string, readonly string[]>;
  readonly limits: readonly MethodLimit[];
  readonly held: readonly HeldTarget[];
}

async function listServices(ground: ServicesGround): Promise<Answered<{ services: ServiceStatus[] }>> {
  const [held, limits, queues] = await Promise.all([listHolds(ground), listLimits(ground), readQueues(ground)]);
  if (held.kind === "failure") return held;
  if (limits.kind === "failure") return limits;
  if (queues.kind === "failure") return queues;
  const known: Known = {
    sidecars: ground.catalog.sidecars(),
    callers: callersOf(ground.definitions),
    limits: limits.answer.limits,
    held: held.answer.held,
  };
  const methods = [...known.callers.keys(), ...known.limits.map(({ method }) => method)];
  const services = [
    ...new Set([
      ...methods.map((method) => splitMethod(method).service),
      ...known.sidecars.flatMap((one) => one.services),
      ...queues.answer.flatMap(({ service, waiting, inHands }) => (waiting + inHands > 0 ? [service] : [])),
    ]),
  ].toSorted();
  const rows = services.map((service): ServiceStatus => {
    const offering = known.sidecars.filter((one) => one.services.includes(service));
    const queue = queues.answer.find((one) => one.service === service);
    return {
      service,
      sidecars: countIds(offering),
      serving: countIds(offering.filter(({ serving }) => serving)),
      waiting: BigInt(queue?.waiting ?? 0),
      inFlight: BigInt(queue?.inHands ?? 0),
      methods: methodsOf(service, offering, known, ground.catalog),
      held: heldAs(known.held, "service", service),
    };
  });
  return done({ services: rows });
}

async function readQueues({ readTaskQueues }: ServicesGround): Promise<Answered<Awaited<ReturnType<ReadTaskQueues>>>> {
  try {
    return done(await readTaskQueues());
  } catch (error) {
    return failed(
      refusalFailure({ kind: "unavailable", message: `the queues can't be read now: ${errorText(error)}` }),
    );
  }
}

function methodsOf(
  service: string,
  offering: readonly KnownSidecar[],
  { callers, limits, held }: Known,
  catalog: Catalog,
): ServiceMethod[] {
  const isOfService = (method: string): boolean => splitMethod(method).service === service;
  const offered = offering.flatMap(({ methods }) => methods).filter(isOfService);
  const isUnsure = offering.length === 0 || offering.some(({ methods }) => !methods.some(isOfService));
  const all = new Set([...offered, ...[...callers.keys(), ...limits.map(({ method }) => method)].filter(isOfService)]);
  const known = new Set(offered);
  const offerOf = (method: string): ServiceMethod_Offer => {
    if (known.has(method)) return ServiceMethod_Offer.OFFERED;
    return isUnsure ? ServiceMethod_Offer.UNKNOWN : ServiceMethod_Offer.MISSING;
  };
  return [...all].toSorted().map((method) => ({
    method,
    offer: offerOf(method),
    workflows: [...(callers.get(method) ?? [])],
    broken: catalog.isBroken(method),
    limit: limits.find((one) => one.method === method),
    held: heldAs(held, "method", method),
  }));
}

function callersOf(definitions: ServicesGround["definitions"]): ReadonlyMap<string, readonly string[]> {
  const callers = new Map<string, string[]>();
  for (const { workflow, activeVersion, version } of definitions.list()) {
    const active = version.find(({ number }) => number === activeVersion);
    for (const method of active?.methods ?? []) callers.set(method, [...(callers.get(method) ?? []), workflow]);
  }
  return callers;
}

function heldAs(held: readonly HeldTarget[], kind: "service" | "method", name: string): HeldTarget | undefined {
  return held.find(({ target }) => target?.kind?.$case === kind && target.kind.value === name);
}

function countIds(sidecars: readonly KnownSidecar[]): number {
  return new Set(sidecars.map(({ sidecar }) => sidecar?.id)).size;
}
