import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client } from "pg";
import { ensurePostgres } from "../../scripts/postgres.mjs";
import { freePort } from "./freePort.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";

/** A real PostgreSQL with an empty database; leaving its scope kills it and removes its files. */
export type Postgres = AsyncDisposable & {
  /** postgres://sidestep@127.0.0.1:<port>/postgres; the same over restarts. */
  readonly url: string;
  /** SIGKILL of the server and all it has started, and the end awaited. Its files stay. */
  readonly kill9: () => Promise<void>;
  /** Starts it again on the same port and files. */
  readonly restart: () => Promise<void>;
  /** Runs statements in it. */
  readonly sql: (text: string) => Promise<void>;
};

/** PostgreSQL refuses to run as root. */
const nobody = 65_534;

/** Starts a PostgreSQL on a free port and waits until it takes connections. */
export async function startPostgres(): Promise<Postgres> {
  const found = ensurePostgres();
  const uid = process.getuid?.() === 0 ? nobody : undefined;
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-postgres-"));
  const { bin, libraries } = uid === undefined ? found : readableByAll(found, folder);
  const files = path.join(folder, "files");
  mkdirSync(files);
  chmodSync(folder, 0o755);
  if (uid !== undefined) chownSync(files, uid, uid);
  const env = { LD_LIBRARY_PATH: libraries.join(":"), LC_ALL: "C" };
  execFileSync(
    path.join(bin, "initdb"),
    ["-D", files, "-U", "sidestep", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
    {
      cwd: "/",
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  );
  const port = await freePort();
  const start = (): Promise<Program> =>
    startProgram({
      name: "postgres",
      command: path.join(bin, "postgres"),
      args: [
        "-D",
        files,
        "-h",
        "127.0.0.1",
        "-p",
        String(port),
        "-k",
        files,
        "-c",
        "fsync=off",
        "-c",
        "max_connections=50",
      ],
      cwd: "/",
      env,
      readyLine: /ready to accept connections/,
      ...(uid === undefined ? {} : { uid }),
    });
  let program = await start();
  const url = `postgres://sidestep@127.0.0.1:${port}/postgres`;
  return {
    url,
    kill9: async () => void (await program.kill9()),
    restart: async () => {
      await program.kill9();
      program = await start();
    },
    sql: async (text) => {
      const client = new Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(text);
      } finally {
        await client.end();
      }
    },
    [Symbol.asyncDispose]: async () => {
      await program.kill9();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** What lies below root's home is copied to where somebody else can run it. */
function readableByAll(
  { bin, libraries }: ReturnType<typeof ensurePostgres>,
  folder: string,
): ReturnType<typeof ensurePostgres> {
  if (libraries.length === 0) return { bin, libraries };
  const home = path.resolve(bin, "../../../../..");
  const copy = path.join(folder, "programs");
  cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
  const moved = (file: string): string => path.join(copy, path.relative(home, file));
  return { bin: moved(bin), libraries: libraries.map(moved) };
}
