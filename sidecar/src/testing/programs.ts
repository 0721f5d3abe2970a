import path from "node:path";
import protoLoader from "@grpc/proto-loader";
import { startNats } from "../../../test/support/nats.ts";
import type { Nats } from "../../../test/support/nats.ts";
import { startNode } from "../../../test/support/program.ts";
import type { Program } from "../../../test/support/program.ts";
import { startFakeOrchestrator } from "./fakeOrchestrator.ts";
import type { FakeOrchestrator } from "./fakeOrchestrator.ts";

const folder = path.resolve(import.meta.dirname, "../../testdata/echo");
const definition = protoLoader.loadSync("echo/v1/echo.proto", {
  includeDirs: [path.join(folder, "proto")],
  longs: Number,
  bytes: Buffer,
});

/** What an echo service is asked to do; see echo.proto. */
export type Say = {
  readonly text?: string;
  readonly code?: number;
  readonly headersFirst?: boolean;
  readonly delayMs?: number;
  readonly details?: Uint8Array;
  readonly pushback?: string;
  readonly answerBytes?: number;
};

/** The bytes of a SayRequest, as any client would make them. */
export function sayBytes(say: Say): Uint8Array {
  return method("Say").requestSerialize(say);
}

/** What a SayResponse says. */
export function heard(bytes: Uint8Array): unknown {
  return method("Say").responseDeserialize(Buffer.from(bytes));
}

function method(name: string) {
  const service = definition["echo.v1.Echo"];
  const found = service !== undefined && !("format" in service) ? service[name] : undefined;
  if (found === undefined) throw new Error(`echo.proto has no ${name}`);
  return found;
}

/** The unmodified service of the tests; `address` is where it listens. */
export async function startEcho(...args: readonly string[]): Promise<Program & { readonly address: string }> {
  const program = await startNode(path.join(folder, "server.mjs"), { name: "echo", args, readyLine: /^listening/ });
  const port = /^listening (\d+)/.exec(program.lines.find((line) => line.startsWith("listening")) ?? "")?.[1];
  return Object.assign(program, { address: `localhost:${port}` });
}

/** What an echo service wrote of its calls. */
export function calls(
  echo: Program,
  what: "begin" | "end" | "cancelled",
): readonly { readonly text: string; readonly metadata: Record<string, string[]>; readonly deadlineMs: number }[] {
  return echo.lines
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => JSON.parse(line.slice(what.length + 1)));
}

/** A sidecar as users start it, its port of probes free. */
export function startSidecar(nats: Nats, ...args: readonly string[]): Promise<Program> {
  return startNode("sidecar/src/main.ts", {
    name: "sidecar",
    args: ["--admin-port", "0", ...args],
    env: { NATS_URL: nats.url, NODE_OPTIONS: undefined },
    readyLine: /sidecar ready|can't go on/,
  });
}

/** A nats-server, its configuration as `startNats` takes it, and a fake orchestrator on it, closed in turn. */
export async function startGround(
  configuration = "",
): Promise<AsyncDisposable & { readonly nats: Nats; readonly orchestrator: FakeOrchestrator }> {
  const nats = await startNats({ configuration });
  const orchestrator = await startFakeOrchestrator(nats.url);
  return {
    nats,
    orchestrator,
    [Symbol.asyncDispose]: async () => {
      await orchestrator[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
    },
  };
}
