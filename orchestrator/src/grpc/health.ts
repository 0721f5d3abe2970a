import type { ServerWritableStream } from "@grpc/grpc-js";
import { HealthCheckResponse_ServingStatus as Status } from "../../../proto/gen/grpc/health/v1/health.ts";
import type {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthServer,
} from "../../../proto/gen/grpc/health/v1/health.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Closing } from "./closing.ts";

/** The state of the front door, as grpc.health.v1 tells it. The empty name is the server as a whole. */
export interface Health {
  readonly service: HealthServer;
  /** Whether new runs can be taken now, and which services there are. */
  update(isServing: boolean, services: readonly string[]): void;
}

/** Nothing serves until the first update; watches end when it closes. */
export function newHealth(closing: Closing): Health {
  let statuses = new Map<string, Status>([["", Status.NOT_SERVING]]);
  const watchers = new Set<() => void>();
  return {
    update: (isServing, services) => {
      const status = isServing ? Status.SERVING : Status.NOT_SERVING;
      statuses = new Map(["", ...services].map((service) => [service, status]));
      watchers.forEach((look) => look());
    },
    service: {
      check: (call, answer) => {
        const status = statuses.get(call.request.service);
        if (status === undefined) answer({ code: code.NOT_FOUND, details: `no service ${call.request.service}` });
        else answer(null, { status });
      },
      list: (_call, answer) => {
        answer(null, { statuses: Object.fromEntries([...statuses].map(([service, status]) => [service, { status }])) });
      },
      watch: (call) =>
        watch(call, () => statuses.get(call.request.service) ?? Status.SERVICE_UNKNOWN, watchers, closing),
    },
  };
}

function watch(
  call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>,
  now: () => Status,
  watchers: Set<() => void>,
  closing: Closing,
): void {
  let told: Status | undefined;
  const look = (): void => {
    const status = now();
    if (status === told) return;
    told = status;
    call.write({ status });
  };
  watchers.add(look);
  const forget = closing.onClose(() => call.end());
  call.on("cancelled", () => {
    watchers.delete(look);
    forget();
  });
  look();
}
