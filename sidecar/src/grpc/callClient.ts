import type { Call, CallRequest } from "../ports.ts";

/** Makes calls to one service process. */
export interface CallClient extends Disposable {
  /** Makes one call; the deadline counts from now. Never throws. */
  call(request: CallRequest): Call;
}

/** Which code makes the calls. */
export const callClients = ["own", "grpc-js"] as const;
export type CallClientName = (typeof callClients)[number];
