import { logSettings } from "../../runtime/src/logSettings.ts";
import { natsSettings } from "../../runtime/src/natsSettings.ts";
import {
  choice,
  duration,
  integer,
  optionalPort,
  requiredTexts,
  text,
  textOr,
  texts,
  toggle,
} from "../../runtime/src/setting.ts";
import type { Values } from "../../runtime/src/setting.ts";
import { callClients } from "./grpc/callClient.ts";
import type { BreakerBounds } from "./core/breaker.ts";
import { parseTarget, targetForm } from "./grpc/target.ts";
import type { Target } from "./grpc/target.ts";

const nameForm = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/** Every setting of a sidecar: its flags, variables, help and documentation are made from here. */
export const sidecarSettings = {
  service: requiredTexts(
    { flag: "service", placeholder: "<address>", doc: "Where a service listens: host:port or unix:path." },
    (one) => (parseTarget(one) === undefined ? targetForm : undefined),
  ),
  expose: texts(
    {
      flag: "expose",
      placeholder: "<package.Service[@address]>",
      doc: "Service to take tasks for; without it all that are found. With an address: at that --service only.",
    },
    (one) =>
      parseWanted(one) === undefined
        ? "a service's full name such as shop.v1.Orders, with or without @address"
        : undefined,
  ),
  descriptorSet: text({
    flag: "descriptor-set",
    placeholder: "<file>",
    doc: "A FileDescriptorSet (buf build -o) that says what the service offers, instead of reflection.",
  }),
  tlsCa: text({
    flag: "tls-ca",
    placeholder: "<file>",
    doc: "Certificates the service's is checked against; turns TLS on.",
  }),
  tlsCert: text({ flag: "tls-cert", placeholder: "<file>", doc: "Certificate shown to the service; turns TLS on." }),
  tlsKey: text({ flag: "tls-key", placeholder: "<file>", doc: "Private key of that certificate." }),
  secrets: text({
    flag: "secrets",
    placeholder: "<folder>",
    doc: "Secrets that headers of calls may name, each a file with the secret's name; read at each call.",
  }),
  concurrency: integer({ flag: "concurrency", doc: "Calls at a time, over all services." }, 64, {
    min: 1,
    max: 10_000,
  }),
  grpcClient: choice(
    {
      flag: "grpc-client",
      doc: "What speaks to the service: our own HTTP/2, or grpc-js, which costs several times as much.",
    },
    "own",
    callClients,
  ),
  breakerPercent: integer(
    {
      flag: "breaker-percent",
      doc: "Share of a method's calls that may fail by the service being away, overloaded or too slow, in percent; from there on its calls wait. 0: they never do.",
    },
    50,
    { min: 0, max: 100 },
  ),
  breakerCalls: integer(
    {
      flag: "breaker-calls",
      doc: "So many failures of a method in a row are too many; the share is looked at from five times as many calls within 10 s.",
    },
    20,
    { min: 1, max: 1_000_000 },
  ),
  breakerPauseMax: duration(
    { flag: "breaker-pause-max", doc: "Longest pause between two calls that try whether it is over; the first is 1s." },
    "15s",
    { min: 100, max: 3_600_000 },
  ),
  listen: text({
    flag: "listen",
    placeholder: "<address>",
    doc: "Where the service beside it calls workflows, as if they were here: host:port of loopback, or unix:path.",
  }),
  insecureListen: toggle(
    {
      flag: "insecure-listen",
      doc: "Listen on another address than loopback: everybody who reaches it calls in the service's name.",
    },
    false,
  ),
  mesh: texts(
    {
      flag: "mesh",
      placeholder: "<package.Service>",
      doc: "Other service whose unary methods can be called at --listen, too: its own sidecar makes the calls.",
    },
    (one) => (nameForm.test(one) ? undefined : "a service's full name such as shop.v1.Orders"),
  ),
  meshAllow: texts(
    {
      flag: "mesh-allow",
      placeholder: "<called=caller>",
      doc: "Service beside it that another service may call through its sidecar: stock.v1.Stock=shop.v1.Orders; * for the caller lets all in.",
    },
    (one) => (parseAllowed(one) === undefined ? "two services such as stock.v1.Stock=shop.v1.Orders" : undefined),
  ),
  name: textOr(
    {
      flag: "name",
      env: "OTEL_SERVICE_NAME",
      placeholder: "<name>",
      doc: "What the sidecar is called in traces, metrics and the catalog.",
    },
    "sidestep-sidecar",
  ),
  adminHost: textOr(
    { flag: "admin-host", placeholder: "<host>", doc: "Address of /livez, /readyz and /metrics." },
    "127.0.0.1",
  ),
  adminPort: optionalPort({ flag: "admin-port", doc: "Port of /livez, /readyz and /metrics." }, "next free from 7430"),
  drainTimeout: duration({ flag: "drain-timeout", doc: "How long a shutdown waits for the calls in flight." }, "30s", {
    min: 0,
    max: 86_400_000,
  }),
  ...natsSettings,
  ...logSettings,
};

export type SidecarSettings = Values<typeof sidecarSettings>;

/** A service to expose, at one address or wherever it is found. */
export type Wanted = { readonly service: string; readonly target: string | undefined };

/** Reads "shop.v1.Orders" or "shop.v1.Orders@localhost:50051". */
export function parseWanted(one: string): Wanted | undefined {
  const at = one.indexOf("@");
  const service = at < 0 ? one : one.slice(0, at);
  const target = at < 0 ? undefined : one.slice(at + 1);
  const isSound = nameForm.test(service) && (target === undefined || parseTarget(target) !== undefined);
  return isSound ? { service, target } : undefined;
}

/** Reads "stock.v1.Stock=shop.v1.Orders" or "stock.v1.Stock=*". */
export function parseAllowed(one: string): { readonly called: string; readonly caller: string } | undefined {
  const [called = "", caller = "", ...more] = one.split("=");
  const isSound = nameForm.test(called) && (caller === "*" || nameForm.test(caller)) && more.length === 0;
  return isSound ? { called, caller } : undefined;
}

/** Of the settings' texts, the addresses. */
export function targetsOf(settings: SidecarSettings): readonly Target[] {
  return [...new Set(settings.service)].flatMap((one) => parseTarget(one) ?? []);
}

/** What contradicts itself although each setting is sound. */
export function contradictions(settings: SidecarSettings): readonly string[] {
  const problems: string[] = [];
  if ((settings.tlsCert === undefined) !== (settings.tlsKey === undefined)) {
    problems.push("--tls-cert and --tls-key are needed together");
  }
  const { listen, insecureListen, mesh } = settings;
  if (listen !== undefined && parseTarget(listen) === undefined)
    problems.push(`--listen ${listen} is no address: ${targetForm}`);
  else if (listen !== undefined && !insecureListen && !isOwnAddress(listen))
    problems.push(
      `--listen ${listen} is reached from other machines: listen on 127.0.0.1 or unix:path, or say --insecure-listen where the network keeps others out`,
    );
  if (mesh.length > 0 && listen === undefined) problems.push("--mesh takes --listen: where the calls are to be made");
  for (const wanted of settings.expose.flatMap((one) => parseWanted(one) ?? [])) {
    if (wanted.target !== undefined && !settings.service.includes(wanted.target)) {
      problems.push(`--expose ${wanted.service}@${wanted.target} names an address that is no --service`);
    }
  }
  return problems;
}

function isOwnAddress(address: string): boolean {
  return address.startsWith("unix:") || /^(localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d+$/.test(address);
}

/** When the calls of a method are held back. */
export function breakerBounds(settings: SidecarSettings): BreakerBounds {
  return {
    percent: settings.breakerPercent,
    callsMin: settings.breakerCalls,
    pauseMaxMs: settings.breakerPauseMax,
  };
}
