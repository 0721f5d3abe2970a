import path from "node:path";
import { freePort } from "../../support/freePort.ts";
import { startNode, startProgram } from "../../support/program.ts";
import type { Program } from "../../support/program.ts";
import { pythonWithGrpc } from "../../support/python.ts";

/** What answers the calls: a figure means nothing without it. */
export const serviceKinds = ["plain", "node", "python"] as const;
export type ServiceKind = (typeof serviceKinds)[number];

/** Throws on what is none of them. */
export function parseServiceKind(text: string): ServiceKind {
  const kind = serviceKinds.find((it) => it === text);
  if (kind === undefined) throw new Error(`--service ${text}: there are ${serviceKinds.join(", ")}`);
  return kind;
}

/** For the table. */
export const serviceNames: Readonly<Record<ServiceKind, string>> = {
  plain: "Node, HTTP/2 on plain sockets",
  node: "Node, grpc-js",
  python: "Python, grpcio",
};

/** Starts bench.v1.Echo. `delayMs`: how long each answer takes, of the plain one. */
export async function startService(
  kind: ServiceKind,
  delayMs = 0,
): Promise<{ readonly program: Program; readonly address: string }> {
  const port = await freePort();
  const args = [String(port), String(delayMs)];
  const start = (): Promise<Program> => {
    switch (kind) {
      case "plain":
        return startNode("test/bench/services/plainHttp2.ts", { args, readyLine: /READY/ });
      case "node":
        return startNode("test/bench/services/grpcJs.ts", { args, readyLine: /READY/ });
      case "python":
        return startProgram({
          name: "echo.py",
          command: pythonWithGrpc(),
          args: [path.join(import.meta.dirname, "echo.py"), ...args],
          readyLine: /READY/,
        });
    }
  };
  return { program: await start(), address: `127.0.0.1:${port}` };
}
