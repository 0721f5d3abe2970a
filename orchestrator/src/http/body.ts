import type { IncomingMessage } from "node:http";

export type Body =
  | { readonly kind: "body"; readonly bytes: Buffer }
  | { readonly kind: "tooLarge" }
  /** Too many bytes of all requests together are held already. */
  | { readonly kind: "busy" }
  | { readonly kind: "gone" };

/** Reads the bodies of requests, and bounds what those that are being read hold together. */
export interface Bodies {
  /** Never rejects. */
  read(request: IncomingMessage, bytesMax: number): Promise<Body>;
}

/** Reads at most `heldBytesMax` at a time. */
export function openBodies(heldBytesMax: number): Bodies {
  let heldBytes = 0;
  return {
    read: (request, bytesMax) =>
      new Promise((resolve) => {
        const chunks: Buffer[] = [];
        let length = 0;
        const free = (): void => {
          heldBytes -= length;
          length = 0;
        };
        const stop = (kind: "tooLarge" | "busy"): void => {
          request.removeAllListeners("data");
          request.pause();
          resolve({ kind });
        };
        request.on("data", (chunk: Buffer) => {
          length += chunk.length;
          heldBytes += chunk.length;
          if (length > bytesMax) stop("tooLarge");
          else if (heldBytes > heldBytesMax) stop("busy");
          else chunks.push(chunk);
        });
        request.on("end", () => resolve({ kind: "body", bytes: Buffer.concat(chunks) }));
        request.on("error", () => resolve({ kind: "gone" }));
        request.on("close", () => {
          free();
          resolve({ kind: "gone" });
        });
      }),
  };
}
