import type { HeldTarget } from "../../../proto/gen/sidestep/v1/runs.ts";
import { ServiceMethod_Offer } from "../../../proto/gen/sidestep/v1/services.ts";
import type { ServiceMethod, ServiceStatus, SidecarStatus } from "../../../proto/gen/sidestep/v1/services.ts";
import type { FrontClient } from "../frontClient.ts";
import { stateText } from "../sidecarList.ts";
import { bad, notice, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

const checkMs = 5_000;
/** Names in one line. */
const namesMax = 3;

/** What the orchestrator knows of the services: whether all that deployed workflows call is offered, by sidecars that take calls. */
export async function serviceChecks(client: FrontClient): Promise<readonly Finding[]> {
  const { services: rpcs } = client;
  const { services } = await client.call(rpcs.listServices.bind(rpcs), {}, checkMs);
  const { sidecars } = await client.call(rpcs.listSidecars.bind(rpcs), {}, checkMs);
  const findings = services.flatMap((service) =>
    findingsOf(
      service,
      sidecars.filter((one) => one.services.includes(service.service)),
    ),
  );
  if (findings.length > 0) return findings;
  const called = services.flatMap(({ methods }) => methods).filter(isCalled);
  const unsure = called.filter(({ offer }) => offer !== ServiceMethod_Offer.OFFERED).length;
  if (called.length === 0) return [ok("services", "no deployed workflow calls one")];
  const each = called.length === 1 ? "1 method is called" : `${called.length} methods are called`;
  if (unsure === 0) return [ok("services", `${each}, and each is offered`)];
  return [ok("services", `${each}, of services with sidecars; ${unsure} of them no sidecar knows by name (--expose)`)];
}

function findingsOf(service: ServiceStatus, beside: readonly SidecarStatus[]): readonly Finding[] {
  const served = servedFinding(service, beside);
  const methods = service.sidecars === 0 ? [] : service.methods.flatMap((method) => methodFindings(service, method));
  const held = service.held === undefined ? [] : [heldFinding("service", service.service, service.held)];
  return [...(served === undefined ? [] : [served]), ...methods, ...held];
}

/** Whether somebody takes its calls. */
function servedFinding(status: ServiceStatus, beside: readonly SidecarStatus[]): Finding | undefined {
  const { service, sidecars, serving, waiting } = status;
  const isNeeded = waiting > 0n || status.methods.some(isCalled);
  if (sidecars === 0) {
    if (!isNeeded) return undefined;
    const told = `no sidecar offers ${service}${calledBy(status.methods.flatMap(({ workflows }) => workflows))}${waitingText(waiting)}`;
    return bad("services", told, "start one beside the service process: sidestep sidecar --service <host:port>");
  }
  if (serving === sidecars) return undefined;
  const idle = beside.filter((one) => !one.serving);
  const [first] = idle;
  const who = listed(
    idle.map((one) => `${one.id} at ${one.target}: ${stateText(one)}`),
    "; ",
  );
  const next =
    first?.draining === undefined
      ? `start the service process, or look why its health check fails; sidestep service describe ${service}`
      : `when it is to take calls again: sidestep sidecar resume ${first.id}`;
  if (serving > 0)
    return notice("services", `${service} is served by ${serving} of ${sidecars} sidecars (${who})`, next);
  const none = `no sidecar takes calls of ${service} now${waitingText(waiting)} (${who})`;
  return isNeeded ? bad("services", none, next) : notice("services", none, next);
}

function methodFindings({ service }: ServiceStatus, method: ServiceMethod): readonly Finding[] {
  const name = method.method;
  const missing = method.offer === ServiceMethod_Offer.MISSING && isCalled(method);
  return [
    ...(missing
      ? [
          bad(
            "services",
            `nobody offers ${name}${calledBy(method.workflows)}; its sidecars have other methods of ${service}`,
            "roll out the version of the service that has it, or deploy workflows that don't call it",
          ),
        ]
      : []),
    ...(method.broken
      ? [
          notice(
            "services",
            `every sidecar holds calls of ${name} back, for too many fail`,
            "look at the service's log; sidecars try again by themselves",
          ),
        ]
      : []),
    ...(method.held === undefined ? [] : [heldFinding("method", name, method.held)]),
  ];
}

function heldFinding(kind: "service" | "method", name: string, { reason }: HeldTarget): Finding {
  const why = reason === "" ? "" : ` (${reason})`;
  const next = `when they are to go on: sidestep hold remove --${kind} ${name}`;
  return notice("services", `calls of ${name} are held back by an operator${why}`, next);
}

function isCalled({ workflows }: ServiceMethod): boolean {
  return workflows.length > 0;
}

function calledBy(workflows: readonly string[]): string {
  const names = [...new Set(workflows)];
  return names.length === 0 ? "" : `, which ${listed(names, ", ")} ${names.length === 1 ? "calls" : "call"}`;
}

function listed(names: readonly string[], between: string): string {
  const more = names.length - namesMax;
  const shown = names.slice(0, namesMax).join(between);
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function waitingText(waiting: bigint): string {
  if (waiting === 0n) return "";
  return waiting === 1n ? "; 1 call waits" : `; ${waiting} calls wait`;
}
