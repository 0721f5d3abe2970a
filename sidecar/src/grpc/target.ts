/** Where a service listens. */
export type Target = {
  /** As the user wrote it. */
  readonly text: string;
  /** As grpc-js wants it. */
  readonly address: string;
};

const hostAndPortForm = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/;

/** Reads "localhost:50051", "[::1]:50051", "unix:/run/a.sock" or "unix:a.sock". */
export function parseTarget(text: string): Target | undefined {
  if (text.startsWith("unix:")) return text.length > "unix:".length ? { text, address: text } : undefined;
  const port = Number(hostAndPortForm.exec(text)?.[1]);
  return port >= 1 && port <= 65_535 ? { text, address: text } : undefined;
}

/** What `parseTarget` takes, in words. */
export const targetForm = "host:port or unix:path, such as localhost:50051";

/** The parts of an address that is no unix socket's. */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}
