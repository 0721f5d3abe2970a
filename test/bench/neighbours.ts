import { writeFile } from "node:fs/promises";
import { connect, constants } from "node:http2";
import { parseArgs } from "node:util";
import { status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { freePort } from "../support/freePort.ts";
import { startNode } from "../support/program.ts";
import { watchResident } from "./accounting.ts";
import { openCaller } from "./caller.ts";
import { pause, probeFor, spreadOf, startProbe } from "./probe.ts";
import type { Member } from "./product.ts";
import { openProfiles } from "./profile/profiles.ts";
import { toSayRequest } from "./sayRequest.ts";
import { scrape } from "./scrape.ts";
import { heading, progress, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- neighbours [options]

Other runs go on while a service or a client behaves badly: how long they take, whether they end, how late the event loops come, and how much memory it takes.
The bad service has a sidecar of its own.

  --only <list>    of slow, hang, flood, large, unread (all)
  --seconds <s>    for each (10)
  --runs <n>       bad runs in flight (50)
  --profile [dir]  CPU profiles of the orchestrator meanwhile; slows it down somewhat
  --json <file>    writes the figures
  --help`;

const request = toSayRequest("x".repeat(120));

/** What behaves badly: keeps so many of them in flight until told to stop. */
const bad: Readonly<Record<string, { readonly title: string; readonly start: Misbehaviour }>> = {
  slow: { title: "a service that takes 5 s", start: (stack, runs) => keepCalling(stack, "Slow", runs) },
  hang: { title: "a service that never answers", start: (stack, runs) => keepCalling(stack, "Hang", runs) },
  flood: { title: "a service that streams without an end", start: (stack, runs) => keepCalling(stack, "Flood", runs) },
  large: { title: "answers of 5 MiB", start: (stack, runs) => keepCalling(stack, "Large", Math.min(runs, 8)) },
  unread: { title: "clients that never read their answers of 5 MiB", start: (stack, runs) => neverRead(stack, runs) },
};

type Misbehaviour = (stack: Stack, runs: number) => Promise<{ stop(): Promise<Readonly<Record<string, number>>> }>;

/** Measures what bad neighbours cost others and prints what came of it. */
export async function measureNeighbours(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: args.flatMap((it, at) => (it === "--profile" && (args[at + 1] ?? "--").startsWith("--") ? [it, ""] : [it])),
    options: {
      profile: { type: "string" },
      only: { type: "string", default: Object.keys(bad).join(",") },
      seconds: { type: "string", default: "10" },
      runs: { type: "string", default: "50" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const seconds = Number(values.seconds);
  const head = await heading("plain");
  progress("starting nats-server, services and product, and warming them up");
  await using stack = await startStack({ isInspected: values.profile !== undefined });
  const profiles = values.profile === undefined ? undefined : await openProfiles(values.profile);
  const inspectors = profiles === undefined ? {} : { orchestrator: await stack.inspect(stack.orchestrator) };
  const port = await freePort();
  await using programs = new AsyncDisposableStack();
  programs.use(await startNode("test/bench/services/bad.ts", { args: [String(port)], readyLine: /READY/ }));
  const badSidecar = await stack.product.startSidecar({
    service: `127.0.0.1:${port}`,
    expose: ["bench.v1.Bad"],
    concurrency: 64,
  });
  const members = {
    orchestrator: stack.orchestrator,
    "their sidecar": badSidecar,
    "the others' sidecar": stack.sidecar,
  };
  await looked(members);
  const idle = spreadOf(await probeFor(stack.caller, seconds / 2));
  const rows: (readonly string[])[] = [
    [
      "",
      "others' p50, ms",
      "others' p99, ms",
      "they ended",
      ...Object.keys(members).map((name) => `${name}, late by ms, MiB`),
      "their own runs",
    ],
    ["idle", String(idle.p50Ms), String(idle.p99Ms), "", ...Object.values(await looked(members)).map(String), ""],
  ];
  const reports: unknown[] = [];
  for (const name of values.only.split(",")) {
    const one = bad[name];
    if (one === undefined) throw new Error(`--only ${name}: there are ${Object.keys(bad).join(", ")}`);
    progress(one.title);
    await looked(members);
    const pids = Object.fromEntries(Object.entries(members).map(([member, { program }]) => [member, program.pid]));
    const stopWatching = watchResident(() => pids);
    const probe = startProbe(stack.caller);
    const endProfile = await profiles?.begin(name, inspectors);
    const misbehaving = await one.start(stack, Number(values.runs));
    await pause(seconds * 1_000);
    await probe.stop();
    await endProfile?.();
    const lateMs = await looked(members);
    const most = stopWatching();
    const theirs = await misbehaving.stop();
    const meanwhile = spreadOf(probe.samples);
    reports.push({
      name,
      othersMs: { idle, meanwhile, ended: probe.samples.length },
      lateMs,
      residentMiB: most,
      theirs,
    });
    const cells = Object.entries(lateMs).map(([member, ms]) => `${ms}, ${most[member]}`);
    const ended = Object.entries(theirs).map(([code, count]) => `${count} ${code}`);
    rows.push(
      [one.title, `${meanwhile.p50Ms}`, `${meanwhile.p99Ms}`, `${probe.samples.length}`].concat(
        cells,
        ended.join(", "),
      ),
    );
  }
  console.log(head);
  console.log(textTable(rows));
  if (profiles !== undefined) console.log(`${await profiles.report()}\nProfiles are in ${profiles.folder}.`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(reports, undefined, 2)}\n`);
}

/** How late each event loop came at the most since it was asked last, in milliseconds. */
async function looked(members: Readonly<Record<string, Member>>): Promise<Readonly<Record<string, number>>> {
  const late: Record<string, number> = {};
  for (const [name, { adminPort }] of Object.entries(members))
    late[name] = Math.round((await scrape(adminPort))("nodejs_eventloop_delay_max_seconds") * 1_000);
  return late;
}

/** Keeps so many runs in flight; stopping waits for none of them. */
async function keepCalling(stack: Stack, method: string, runs: number) {
  const caller = openCaller(stack.orchestrator.address);
  const codes: Record<string, number> = {};
  let isStopped = false;
  const count = (name: string): void => {
    if (!isStopped) codes[name] = (codes[name] ?? 0) + 1;
  };
  const loop = async (): Promise<void> => {
    while (!isStopped) {
      await caller.call(`bench.v1.Neighbours/${method}`, request).then(
        () => count("OK"),
        (error: unknown) => count(status[(error as ServiceError).code] ?? String(error)),
      );
    }
  };
  for (let i = 0; i < runs; i++) void loop();
  return {
    stop: async () => {
      isStopped = true;
      caller[Symbol.dispose]();
      return codes;
    },
  };
}

/** Calls over HTTP/2 with a window of nothing, so that no answer can ever be sent. */
async function neverRead(stack: Stack, runs: number) {
  const session = connect(`http://${stack.orchestrator.address}`, { settings: { initialWindowSize: 0 } });
  session.on("error", () => undefined);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(request.length, 1);
  let answered = 0;
  for (let i = 0; i < runs; i++) {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/bench.v1.Neighbours/Large",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.on("response", () => (answered += 1));
    stream.end(Buffer.concat([prefix, request]));
  }
  return {
    stop: async () => {
      session.destroy();
      return { "have an answer that can't be sent": answered };
    },
  };
}
