import { Client, credentials } from "@grpc/grpc-js";
import { UnaryClient } from "../../sidecar/src/grpc/unaryClient.ts";

/** What makes the calls: of a short call a good part is its caller's. */
export const callerKinds = ["grpc-js", "lean"] as const;
export type CallerKind = (typeof callerKinds)[number];

/** Throws on what is none of them. */
export function parseCallerKind(text: string): CallerKind {
  const kind = callerKinds.find((it) => it === text);
  if (kind === undefined) throw new Error(`--caller ${text}: there are ${callerKinds.join(", ")}`);
  return kind;
}

/** For the table. */
export const callerNames: Readonly<Record<CallerKind, string>> = {
  "grpc-js": "Node, grpc-js",
  lean: "Node, the sidecar's own client",
};

/** Makes unary calls at one address. */
export interface MeshCaller extends Disposable {
  /** Rejects when it fails. */
  call(method: string, request: Uint8Array): Promise<void>;
}

const same = (bytes: Buffer): Buffer => bytes;

/** Opens one. */
export function openMeshCaller(kind: CallerKind, address: string): MeshCaller {
  switch (kind) {
    case "grpc-js":
      return openGrpcJs(address);
    case "lean":
      return openLean(address);
  }
}

function openGrpcJs(address: string): MeshCaller {
  const client = new Client(address, credentials.createInsecure());
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/${method}`, same, same, Buffer.from(request), (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

function openLean(address: string): MeshCaller {
  const client = new UnaryClient({ text: address, address }, undefined);
  return {
    call: async (method, body) => {
      const [service = ""] = method.split("/");
      const ending = await client.call({ service, method, body, headers: [], timeoutMs: 0, stream: undefined }).ending;
      if (ending.kind === "failed") throw new Error(`${method}: ${ending.code} ${ending.message}`);
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}
