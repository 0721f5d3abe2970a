import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { ensureNatsServer } from "../../bin/natsServer.mjs";
import { freePort } from "./freePort.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";

/** A real nats-server with JetStream; leaving its scope kills it and removes its store. */
export type Nats = AsyncDisposable & {
  /** nats://127.0.0.1:<port>; the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** The pid of the server that runs now. */
  readonly pid: () => number;
  /** Everything it has logged since its last start. */
  readonly lines: () => readonly string[];
  /** SIGKILL, and the end awaited. The store stays. */
  readonly kill9: () => Promise<void>;
  /** SIGTERM, and the end awaited. The store stays. */
  readonly stop: () => Promise<void>;
  /** SIGUSR2: it hands over what it leads, sends its clients away one by one and ends; that is awaited. The store stays. */
  readonly retire: () => Promise<void>;
  /** Starts it again on the same port and store, after stopping it when it still runs. */
  readonly restart: () => Promise<void>;
  /** SIGSTOP: the port stays open, nothing answers. */
  readonly pause: () => void;
  /** SIGCONT after `pause`. */
  readonly resume: () => void;
};

/** Starts a nats-server of a fitting version on a free port below 32768 and waits for its word that it is ready. */
export async function startNats(
  options: {
    /** Added to the server's configuration file: accounts, limits, `max_payload`. */
    readonly configuration?: string;
    /** How often the store is synced to disk: "always" or a duration; without it as the server does by default, every two minutes. */
    readonly syncInterval?: string;
    /** The port to listen on, else a free one. */
    readonly port?: number;
    /** Where its log is kept too. */
    readonly logFile?: string;
  } = {},
): Promise<Nats> {
  const server = await ensureNatsServer();
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-nats-"));
  const file = path.join(folder, "nats.conf");
  const sync = options.syncInterval === undefined ? "" : `, sync_interval: ${options.syncInterval}`;
  await writeFile(
    file,
    [
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: ${JSON.stringify(path.join(folder, "store"))}${sync} }`,
      options.configuration ?? "",
      "",
    ].join("\n"),
  );
  const start = (): Promise<Program> =>
    startProgram({
      name: "nats-server",
      command: server,
      args: ["-c", file],
      readyLine: /Server is ready/,
      ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
    });
  let program = await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: () => program.pid,
    lines: () => program.lines,
    kill9: async () => void (await program.kill9()),
    stop: async () => void (await program.stop()),
    retire: async () => {
      program.signal("SIGUSR2");
      await program.ended;
    },
    restart: async () => {
      await program.stop();
      program = await start();
    },
    pause: () => program.pause(),
    resume: () => program.resume(),
    [Symbol.asyncDispose]: async () => {
      await program.kill9();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
