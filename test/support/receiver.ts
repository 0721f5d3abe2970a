import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The other end of a webhook. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** What it answers. */
  status: number;
  readonly posts: readonly { readonly body: string; readonly signature: string }[];
  /** All that was taken. */
  readonly notices: readonly Readonly<Record<string, unknown>>[];
}

/** Starts one that answers 503. */
export async function startReceiver(): Promise<Receiver> {
  const posts: { readonly body: string; readonly signature: string }[] = [];
  const notices: Readonly<Record<string, unknown>>[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      posts.push({ body, signature: String(request.headers["sidestep-signature"]) });
      if (receiver.status < 300)
        notices.push(
          ...(JSON.parse(body) as { readonly notices: readonly Readonly<Record<string, unknown>>[] }).notices,
        );
      response.writeHead(receiver.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    status: 503,
    posts,
    notices,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
