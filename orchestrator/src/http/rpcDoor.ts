import type { PeerCertificate } from "node:tls";

/** google.protobuf.Any, as generated code has it. */
export interface Packed {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** How a call ended. */
export interface RpcEnd {
  /** Number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly details: readonly Packed[];
  readonly trailers: ReadonlyMap<string, string>;
}

/** Who listens to a call. */
export interface RpcSink {
  /** At most once, before the first message. */
  headers(headers: ReadonlyMap<string, string>): void;
  /** Resolves when the next may come. Never rejects. */
  message(bytes: Uint8Array): Promise<void>;
  /** Once; nothing comes after it. */
  end(end: RpcEnd): void;
}

/** What a call brings besides its request. */
export interface RpcAbout {
  /** Text headers, lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined: the call waits for as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** The client's, when it was asked for one and it is good. */
  readonly certificate: PeerCertificate | undefined;
}

/** An rpc that can be called with the bytes of its request. */
export interface CallableRpc {
  readonly kind: "unary" | "stream";
  /** Begins a call; the function that is returned gives it up. */
  readonly call: (request: Uint8Array, about: RpcAbout, sink: RpcSink) => () => void;
}

/** The rpcs that are served, and the contracts they are from. */
export interface RpcDoor {
  /** By "/package.Service/Method"; bidi: it takes gRPC to call it. */
  find(path: string): CallableRpc | { readonly kind: "bidi" } | undefined;
  /** Names of all services. */
  services(): readonly string[];
  /** google.protobuf.FileDescriptorSet of a deployed service and its SHA-256; undefined: it is none. Throws when it can't be read now. */
  contractOf(service: string): Promise<{ readonly hash: Uint8Array; readonly descriptors: Uint8Array } | undefined>;
}
