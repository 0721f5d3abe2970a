import { list, number, object, oneOf, text, texts, time, truth } from "../api/json.ts";
import type { JsonObject } from "../api/json.ts";

/** A service as it stands over all sidecars. */
export interface Service {
  readonly name: string;
  readonly sidecars: number;
  readonly serving: number;
  /** Calls that no sidecar has been given, and those in the hands of sidecars. */
  readonly backlog: number;
  readonly inFlight: number;
  readonly methods: readonly Method[];
  readonly hold: Hold | undefined;
}

export interface Method {
  /** Behind the service's name. */
  readonly name: string;
  readonly full: string;
  readonly offer: (typeof offers)[number];
  readonly callers: readonly string[];
  /** Its sidecars hold its calls back, for too many have failed. */
  readonly isBroken: boolean;
  /** Empty: there is none. */
  readonly limit: string;
  readonly hold: Hold | undefined;
}

/** Calls of it are held back, in all runs. */
export interface Hold {
  readonly reason: string;
  readonly actor: string;
  readonly since: number | undefined;
}

/** A sidecar and the service process beside it. */
export interface Sidecar {
  readonly id: string;
  readonly host: string;
  readonly version: string;
  readonly target: string;
  readonly services: readonly string[];
  readonly isServing: boolean;
  readonly concurrency: number;
  readonly inFlight: number;
  readonly heardAt: number | undefined;
  readonly draining:
    | { readonly reason: string; readonly actor: string; readonly since: number | undefined }
    | undefined;
}

const offers = ["UNKNOWN", "OFFERED", "MISSING"] as const;

/** The answer of Services.ListServices. */
export function toServices(answer: JsonObject): readonly Service[] {
  return list(answer, "services", (one) => ({
    name: text(one, "service"),
    sidecars: number(one, "sidecars"),
    serving: number(one, "serving"),
    backlog: number(one, "waiting"),
    inFlight: number(one, "inFlight"),
    methods: list(one, "methods", toMethod),
    hold: toHold(one["held"]),
  }));
}

/** The answer of Services.ListSidecars. */
export function toSidecars(answer: JsonObject): readonly Sidecar[] {
  return list(answer, "sidecars", (one) => {
    const draining = object(one["draining"]);
    return {
      id: text(one, "id"),
      host: text(one, "host"),
      version: text(one, "version"),
      target: text(one, "target"),
      services: texts(one, "services"),
      isServing: truth(one, "serving"),
      concurrency: number(one, "concurrency"),
      inFlight: number(one, "inFlight"),
      heardAt: time(one, "heardAt"),
      draining:
        one["draining"] === undefined
          ? undefined
          : { reason: text(draining, "reason"), actor: text(draining, "actor"), since: time(draining, "since") },
    };
  });
}

function toMethod(one: JsonObject): Method {
  const full = text(one, "method");
  return {
    name: full.slice(full.lastIndexOf("/") + 1),
    full,
    offer: oneOf(one, "offer", offers, "UNKNOWN"),
    callers: texts(one, "workflows"),
    isBroken: truth(one, "broken"),
    limit: limitText(object(one["limit"])),
    hold: toHold(one["held"]),
  };
}

function toHold(json: JsonObject[string]): Hold | undefined {
  if (json === undefined) return undefined;
  const held = object(json);
  return { reason: text(held, "reason"), actor: text(held, "actor"), since: time(held, "since") };
}

function limitText(json: JsonObject): string {
  const rate = object(json["rate"]);
  return [
    number(json, "concurrency") === 0 ? "" : `${number(json, "concurrency")} at a time`,
    number(json, "concurrencyPerSidecar") === 0 ? "" : `${number(json, "concurrencyPerSidecar")} a sidecar`,
    number(rate, "calls") === 0 ? "" : `${number(rate, "calls")} in ${text(rate, "per")}`,
  ]
    .filter((it) => it !== "")
    .join(", ");
}
