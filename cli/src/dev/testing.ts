import { mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { repositoryRoot, startNode } from "../../../test/support/program.ts";
import type { Program } from "../../../test/support/program.ts";
import { init } from "../init.ts";

/** A project's folder, as `sidestep init` writes it, with files of a test besides. */
export interface TestProject extends AsyncDisposable {
  readonly folder: string;
  /** Writes a file of it, by its path in the folder. */
  write(file: string, text: string): Promise<void>;
  /** Replaces a part of a file, which has to be there. */
  edit(file: string, from: string, to: string): Promise<void>;
  /** Starts dev in it, and waits until it is ready. */
  dev(args?: readonly string[]): Promise<RunningDev>;
  /** Processes that work in the folder. */
  processes(): Promise<readonly number[]>;
}

export interface RunningDev {
  readonly program: Program;
  /** host:port of the orchestrator. */
  readonly address: string;
}

export const helloFile = "proto/hello/v1/hello.proto";

/** Makes one in a temporary folder, which is removed when the scope is left. */
export async function openTestProject(files: Readonly<Record<string, string>> = {}): Promise<TestProject> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-dev-"));
  await init(folder, { out: () => undefined });
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  };
  for (const [file, text] of Object.entries(files)) await write(file, text);
  const started: Program[] = [];
  return {
    folder,
    write,
    edit: async (file, from, to) => {
      const before = await readFile(path.join(folder, file), "utf8");
      if (!before.includes(from)) throw new Error(`${file} has no ${from}`);
      await writeFile(path.join(folder, file), before.replace(from, to));
    },
    dev: async (args = []) => {
      const program = await startNode(path.join(repositoryRoot, "bin/sidestep.js"), {
        args: ["dev", folder, ...args],
        name: "sidestep dev",
      });
      started.push(program);
      const line = await program.waitForLine(/^ {2}gRPC, JSON/, { timeoutMs: 60_000 });
      return { program, address: /(\S+)$/.exec(line)?.[1] ?? "" };
    },
    processes: () => processesIn(folder),
    [Symbol.asyncDispose]: async () => {
      for (const program of started) await program.kill9();
      for (let tries = 0; tries < 200 && (await processesIn(folder)).length > 0; tries++) await readdir("/proc");
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function processesIn(folder: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return cwd === folder || cwd.startsWith(`${folder}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

const grpcFolder = path.join(repositoryRoot, "node_modules/@grpc");

/** A service of the project's contract, as its team would write it; it has no reflection, and dies once of somebody who is called "death". */
export const greeter = `
const fs = require("node:fs");
const grpc = require(${JSON.stringify(path.join(grpcFolder, "grpc-js"))});
const loader = require(${JSON.stringify(path.join(grpcFolder, "proto-loader"))});
const { greeting } = grpc.loadPackageDefinition(loader.loadSync(__dirname + "/proto/greeting/v1/greeting.proto"));
const server = new grpc.Server();
server.addService(greeting.v1.GreetingService.service, {
  Greet: ({ request }, answer) => {
    console.log("greets " + request.name);
    if (request.name === "death" && !fs.existsSync("died")) {
      fs.writeFileSync("died", "");
      process.exit(3);
    }
    answer(null, { greeting: process.env.WORD + " " + request.name });
  },
});
const at = "127.0.0.1:" + process.env.PORT;
server.bindAsync(at, grpc.ServerCredentials.createInsecure(), () => console.log("greets at " + at));
`;

/** Starts it. */
export const greeterYaml = `services:
  - name: greeter
    command: node greeter.cjs
    env: { WORD: Hello }
    expose: [greeting.v1.GreetingService]
`;
