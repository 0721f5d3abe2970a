import { RetryInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";

/**
 * How long the service asks to wait before a retry, in milliseconds; negative: not at all; undefined: it did not say. The trailer
 * grpc-retry-pushback-ms wins over a google.rpc.RetryInfo in the details; an unreadable pushback means "do not retry", as in gRPC.
 */
export function retryAfterMs(details: Uint8Array, pushback: string | undefined): number | undefined {
  if (pushback !== undefined) return /^-?\d{1,10}$/.test(pushback) ? Number(pushback) : -1;
  if (details.length === 0) return undefined;
  try {
    const found = RpcStatus.decode(details).details.find((one) => one.typeUrl.endsWith("/google.rpc.RetryInfo"));
    const delay = found === undefined ? undefined : RetryInfo.decode(found.value).retryDelay;
    return delay === undefined ? undefined : Math.max(Number(delay.seconds) * 1_000 + delay.nanos / 1e6, 0);
  } catch {
    return undefined;
  }
}
