import type { Client, ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../../proto/gen/grpc/health/v1/health.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";

/** What a health service says of one service; "unspoken": the process has no health service, or does not know this one. */
export type Healthiness = "serving" | "notServing" | "unspoken";

const pollMs = 2_000;
const checkTimeoutMs = 2_000;

/**
 * Follows grpc.health.v1 for one service as long as the connection lasts: Watch, and where there is none Check each 2 s; the server as
 * a whole ("") when the service is not known. Ends when `signal` aborts, the stream breaks, or nothing more can be learned.
 */
export async function followHealth(
  client: Client,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = await watch(client, service, onChange, signal);
  switch (end) {
    case "unknownService":
      if (service === "") return onChange("unspoken");
      return followHealth(client, "", onChange, signal);
    case "unimplemented":
      return poll(client, service, onChange, signal);
    case "ended":
      return;
  }
}

type WatchEnd = "unknownService" | "unimplemented" | "ended";

function watch(
  client: Client,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<WatchEnd> {
  return new Promise((resolve) => {
    const call = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", encodeRequest, decodeResponse, {
      service,
    });
    const done = (end: WatchEnd): void => {
      signal.removeEventListener("abort", cancel);
      resolve(end);
      call.cancel();
    };
    const cancel = (): void => done("ended");
    signal.addEventListener("abort", cancel, { once: true });
    call.on("data", (response: HealthCheckResponse) => {
      const health = toHealthiness(response.status);
      if (health === undefined) done("unknownService");
      else onChange(health);
    });
    endOf(call, (ended) =>
      done(ended === code.UNIMPLEMENTED ? "unimplemented" : ended === code.NOT_FOUND ? "unknownService" : "ended"),
    );
    if (signal.aborted) cancel();
  });
}

function endOf(call: ClientReadableStream<HealthCheckResponse>, end: (ended: number) => void): void {
  call.on("error", (error: ServiceError) => end(error.code));
  call.on("end", () => end(code.OK));
}

async function poll(
  client: Client,
  service: string,
  onChange: (health: Healthiness) => void,
  signal: AbortSignal,
): Promise<void> {
  let asked = service;
  while (!signal.aborted) {
    const answer = await check(client, asked);
    if (answer.code === code.UNIMPLEMENTED || (answer.code === code.NOT_FOUND && asked === ""))
      return onChange("unspoken");
    if (answer.code === code.NOT_FOUND) asked = "";
    else {
      onChange(answer.code === code.OK ? (toHealthiness(answer.serving) ?? "unspoken") : "notServing");
      await pause(pollMs, signal);
    }
  }
}

function check(client: Client, service: string): Promise<{ readonly code: number; readonly serving: Serving }> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      encodeRequest,
      decodeResponse,
      { service },
      { deadline: Date.now() + checkTimeoutMs },
      (error, response) => resolve({ code: error?.code ?? code.OK, serving: response?.status ?? Serving.UNKNOWN }),
    );
  });
}

function encodeRequest(request: HealthCheckRequest): Buffer {
  return Buffer.from(HealthCheckRequest.encode(request).finish());
}

function decodeResponse(bytes: Buffer): HealthCheckResponse {
  return HealthCheckResponse.decode(bytes);
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
