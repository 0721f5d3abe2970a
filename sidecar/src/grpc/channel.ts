import { Client, connectivityState, credentials } from "@grpc/grpc-js";
import type { ChannelCredentials, ServiceError } from "@grpc/grpc-js";
import { code } from "../../../proto/wire/status.ts";
import { messageBytesMax } from "./callClient.ts";
import type { Tls } from "./callClient.ts";
import type { ServiceLink } from "./serviceLink.ts";
import type { Target } from "./target.ts";

/** The connection to one service process by grpc-js. */
export interface ServiceChannel extends ServiceLink {
  readonly client: Client;
  readonly target: Target;
}

/** Opens it and tells each change between connected and not, beginning with the first one. */
export function openChannel(
  target: Target,
  tls: Tls | undefined,
  onChange: (isConnected: boolean) => void,
): ServiceChannel {
  const client = new Client(target.address, toCredentials(tls), {
    "grpc.primary_user_agent": "sidestep-sidecar",
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
    // Retries are the orchestrator's to decide; a service config from DNS must not bring some in.
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    // The service is beside us: a proxy of the environment is for others.
    "grpc.enable_http_proxy": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
    "grpc.use_local_subchannel_pool": 1,
    // Servers by default take a ping each 5 minutes without complaint.
    "grpc.keepalive_time_ms": 310_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });
  let isConnected = false;
  let isClosed = false;
  const watch = (): void => {
    if (isClosed) return;
    const state = client.getChannel().getConnectivityState(true);
    const now = state === connectivityState.READY;
    if (now !== isConnected) {
      isConnected = now;
      onChange(now);
    }
    // Ends with an error when the channel is closed.
    client.getChannel().watchConnectivityState(state, Number.POSITIVE_INFINITY, watch);
  };
  queueMicrotask(watch);
  return {
    client,
    target,
    isConnected: () => isConnected,
    ask: (method, request, timeoutMs, onMessage) => {
      const ended = Promise.withResolvers<{ readonly code: number; readonly message: string }>();
      const options = timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
      const call = client.makeServerStreamRequest(`/${method}`, bytesToBuffer, sameBuffer, request, options);
      call.on("data", onMessage);
      call.on("error", (error: ServiceError) => ended.resolve({ code: error.code, message: error.details }));
      call.on("end", () => ended.resolve({ code: code.OK, message: "" }));
      return { ended: ended.promise, cancel: () => call.cancel() };
    },
    [Symbol.dispose]: () => {
      isClosed = true;
      client.close();
    },
  };
}

function toCredentials(tls: Tls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

/**
 * grpc-js writes nothing but Buffers, and NATS hands out plain views where a message straddles two reads; a copy would cost a large
 * request dearly.
 */
export function bytesToBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** For what is not decoded. */
export function sameBuffer(bytes: Buffer): Buffer {
  return bytes;
}
