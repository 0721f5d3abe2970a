import { ListServicesResponse, ServiceMethod_Offer, ServiceStatus } from "../../proto/gen/sidestep/v1/services.ts";
import type { ServiceMethod, SidecarStatus } from "../../proto/gen/sidestep/v1/services.ts";
import type { HeldTarget, MethodLimit } from "../../proto/gen/sidestep/v1/runs.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown } from "./listing.ts";
import { rateText } from "./rate.ts";
import { stateText } from "./sidecarList.ts";
import { listText, tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the services that are called or offered, and what waits for them. */
export async function listServices(
  { address, output }: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const answer = await client.call(client.services.listServices.bind(client.services), {});
  printList(
    output,
    {
      type: "sidestep.v1.ListServicesResponse",
      bytes: ListServicesResponse.encode(answer).finish(),
      field: "services",
      items: answer.services,
      name: ({ service }) => service,
      empty: "no workflow calls a service, and no sidecar offers one",
      columns: [
        { heading: "SERVICE", cell: ({ service }) => service },
        { heading: "SERVING", cell: ({ serving, sidecars }) => `${serving} of ${sidecars}` },
        { heading: "BACKLOG", cell: ({ waiting }) => String(waiting) },
        { heading: "IN FLIGHT", cell: ({ inFlight }) => String(inFlight) },
        { heading: "METHODS", cell: ({ methods }) => methods.map(shortName).join(", "), only: "wide" },
        { heading: "", cell: troubleOf },
      ],
    },
    terminal,
  );
}

/** Prints one service: its sidecars and its methods. */
export async function describeService(
  service: string,
  { address, output }: { readonly address: string; readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const { services } = client;
  const answer = await client.call(services.listServices.bind(services), {});
  const found = answer.services.find((one) => one.service === service);
  if (found === undefined)
    throw new CliFailure(
      exit.notFound,
      `no workflow calls a service ${service}, and no sidecar offers it`,
      `the orchestrator at ${address}`,
      "`sidestep service list` shows those that are known",
    );
  const text = async (): Promise<string> => {
    const { sidecars } = await client.call(services.listSidecars.bind(services), {});
    return serviceText(
      found,
      sidecars.filter((one) => one.services.includes(service)),
    );
  };
  const bytes = ServiceStatus.encode(found).finish();
  await printShown(output, { type: "sidestep.v1.ServiceStatus", bytes }, text, terminal);
}

function serviceText(service: ServiceStatus, sidecars: readonly SidecarStatus[]): string {
  const head = listText([
    ["service", service.service],
    ["serving", `${service.serving} of ${service.sidecars} sidecars`],
    ["backlog", `${service.waiting} calls that no sidecar has been given`],
    ["in flight", `${service.inFlight} in the hands of sidecars`],
    ["held", heldText("its calls wait", service.held)],
  ]);
  const beside = sidecars.map((one) => [one.id, one.host, one.target, stateText(one)]);
  const methods = service.methods.map((method) => [
    shortName(method),
    offerText(method.offer),
    method.workflows.join(", "),
    troublesOf(method).join(", "),
  ]);
  return [
    head,
    beside.length === 0 ? undefined : tableText(["SIDECAR", "HOST", "TARGET", "STATE"], beside),
    methods.length === 0 ? undefined : tableText(["METHOD", "OFFERED", "CALLED BY", ""], methods),
  ]
    .filter((part) => part !== undefined)
    .join("\n");
}

/** What keeps calls of a service from being made, in short. */
function troubleOf({ serving, sidecars, methods, held }: ServiceStatus): string {
  const served =
    serving > 0 ? "" : sidecars > 0 ? "none of its sidecars takes calls of it now" : "no sidecar offers it";
  const ofMethods = methods.flatMap((method) => {
    const troubles = troublesOf(method);
    return troubles.length === 0 ? [] : [`${shortName(method)} ${troubles.join(", ")}`];
  });
  return [served, heldText("held", held), ...ofMethods].filter((part) => part !== "").join("; ");
}

function troublesOf({ offer, workflows, broken, held, limit }: ServiceMethod): readonly string[] {
  return [
    offer === ServiceMethod_Offer.MISSING && workflows.length > 0 ? "called, and not offered" : "",
    broken ? "held back by its sidecars: too many calls fail" : "",
    heldText("held", held),
    limitText(limit),
  ].filter((part) => part !== "");
}

function offerText(offer: ServiceMethod_Offer): string {
  switch (offer) {
    case ServiceMethod_Offer.OFFERED:
      return "yes";
    case ServiceMethod_Offer.MISSING:
      return "no";
    case ServiceMethod_Offer.UNKNOWN:
    case ServiceMethod_Offer.OFFER_UNSPECIFIED:
    case ServiceMethod_Offer.UNRECOGNIZED:
      return "not known";
  }
}

function heldText(what: string, held: HeldTarget | undefined): string {
  if (held === undefined) return "";
  return held.reason === "" ? what : `${what} (${held.reason})`;
}

function limitText(limit: MethodLimit | undefined): string {
  if (limit === undefined) return "";
  const { concurrency, concurrencyPerSidecar, rate } = limit;
  const bounds = [
    concurrency === 0 ? "" : `${concurrency} at a time`,
    concurrencyPerSidecar === 0 ? "" : `${concurrencyPerSidecar} a sidecar`,
    rate === undefined ? "" : rateText(rate),
  ];
  return `limited to ${bounds.filter((part) => part !== "").join(", ")}`;
}

function shortName({ method }: ServiceMethod): string {
  return method.slice(method.indexOf("/") + 1);
}
