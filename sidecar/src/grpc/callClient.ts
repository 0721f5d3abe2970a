import type { Call, CallRequest } from "../ports.ts";

/** Largest message either way. */
export const messageBytesMax = 64 * 1024 * 1024;

/** What a connection with TLS is made with. */
export type Tls = {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
};

/** Makes calls to one service process. */
export interface CallClient extends Disposable {
  /** Makes one call; the deadline counts from now. Never throws. */
  call(request: CallRequest): Call;
}

/** Which code makes the calls. */
export const callClients = ["own", "grpc-js"] as const;
export type CallClientName = (typeof callClients)[number];
