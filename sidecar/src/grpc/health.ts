import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../../proto/gen/grpc/health/v1/health.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { ServiceLink } from "./serviceLink.ts";

/** What a health service says of one service; "unspoken": the process has no health service, or does not know this one. */
export type Healthiness = "serving" | "notServing" | "unspoken";

const pollMs = 2_000;
const checkTimeoutMs = 2_000;

/**
 * Follows grpc.health.v1 for one service as long as the connection lasts: Watch, and where there is none Check each 2 s; the server as
 * a whole ("") when the service is not known. Ends when `signal` aborts, the stream breaks, or nothing more can be learned.
 */
export async function followHealth(
  link: ServiceLink,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = await watch(link, service, onChange, signal);
  switch (end) {
    case "unknownService":
      if (service === "") return onChange("unspoken");
      return followHealth(link, "", onChange, signal);
    case "unimplemented":
      return poll(link, service, onChange, signal);
    case "ended":
      return;
  }
}

type WatchEnd = "unknownService" | "unimplemented" | "ended";

function watch(
  link: ServiceLink,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<WatchEnd> {
  return new Promise((resolve) => {
    const done = (end: WatchEnd): void => {
      signal.removeEventListener("abort", cancel);
      resolve(end);
      asked.cancel();
    };
    const cancel = (): void => done("ended");
    const asked = link.ask("grpc.health.v1.Health/Watch", toRequest(service), 0, (message) => {
      const health = toHealthiness(servingIn(message));
      if (health === undefined) done("unknownService");
      else onChange(health);
    });
    signal.addEventListener("abort", cancel, { once: true });
    void asked.ended.then((end) => done(watchEnds.get(end.code) ?? "ended"));
    if (signal.aborted) cancel();
  });
}

const watchEnds: ReadonlyMap<number, WatchEnd> = new Map([
  [code.UNIMPLEMENTED, "unimplemented"],
  [code.NOT_FOUND, "unknownService"],
]);

async function poll(
  link: ServiceLink,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<void> {
  let asked = service;
  while (!signal.aborted) {
    const answer = await check(link, asked);
    if (answer.code === code.UNIMPLEMENTED || (answer.code === code.NOT_FOUND && asked === ""))
      return onChange("unspoken");
    if (answer.code === code.NOT_FOUND) asked = "";
    else {
      onChange(answer.code === code.OK ? (toHealthiness(answer.serving) ?? "unspoken") : "notServing");
      await pause(pollMs, signal);
    }
  }
}

async function check(
  link: ServiceLink,
  service: string,
): Promise<{ readonly code: number; readonly serving: Serving }> {
  let serving: Serving = Serving.UNKNOWN;
  const asked = link.ask("grpc.health.v1.Health/Check", toRequest(service), checkTimeoutMs, (message) => {
    serving = servingIn(message);
  });
  const end = await asked.ended;
  return { code: end.code, serving };
}

function toRequest(service: string): Uint8Array {
  return HealthCheckRequest.encode({ service }).finish();
}

/** Bytes of another kind say nothing. */
function servingIn(message: Uint8Array): Serving {
  try {
    return HealthCheckResponse.decode(message).status;
  } catch {
    return Serving.UNKNOWN;
  }
}

/** Undefined: the server does not know the service. */
function toHealthiness(serving: Serving): Healthiness | undefined {
  switch (serving) {
    case Serving.SERVING:
      return "serving";
    case Serving.SERVICE_UNKNOWN:
      return undefined;
    case Serving.UNKNOWN:
    case Serving.NOT_SERVING:
    case Serving.UNRECOGNIZED:
      return "notServing";
  }
}
