import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { NatsError, openNats } from "../../../runtime/src/natsConnection.ts";
import type { NatsSettings } from "../../../runtime/src/natsSettings.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { durationText } from "../time.ts";
import { bad, notice, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

const connectMs = 5_000;
const askMs = 5_000;
/** Timers and deadlines are told by the clocks of both sides. */
const skewToldMs = 1_000;
const skewBadMs = 30_000;
const fullShare = 0.8;

/** NATS, as a process of ours would use it: reachable, of a fit version, JetStream with room, our streams with a leader, and a clock like ours. */
export async function* natsChecks(settings: NatsSettings): AsyncGenerator<Finding> {
  const servers = settings.natsUrl.join(", ");
  const signal = AbortSignal.timeout(connectMs);
  let nats: Nats;
  try {
    nats = await openNats(settings, { name: "sidestep doctor", log: silentLog, signal });
  } catch (error) {
    if (error instanceof NatsError) yield bad("nats", error.message, "docs/configuration.md lists how NATS is reached");
    else yield bad("nats", `nothing answers at ${servers}`, "start nats-server, or give --nats-url");
    return;
  }
  await using connected = nats;
  const { connection } = connected;
  yield ok("nats", `nats-server ${connection.info?.version ?? "?"} at ${connection.getServer()}`);
  const account = await ask(connected, "INFO");
  if (account.kind === "refused") {
    yield bad("jetstream", account.why, "turn JetStream on: a block `jetstream {}` in its configuration, or -js");
    return;
  }
  yield room(account.answer);
  yield* streams(connected, settings.prefix);
}

type Answer = Readonly<Record<string, unknown>>;
type Asked =
  | { readonly kind: "answer"; readonly answer: Answer; readonly tookMs: number }
  | { readonly kind: "refused"; readonly why: string };

async function ask({ connection }: Nats, verb: string, body?: object): Promise<Asked> {
  const beganMs = performance.now();
  try {
    const payload = body === undefined ? "" : JSON.stringify(body);
    const message = await connection.request(`$JS.API.${verb}`, payload, { timeout: askMs });
    const answer = recordOf(JSON.parse(Buffer.from(message.data).toString()));
    const error = recordOf(answer["error"]);
    if (typeof error["description"] === "string") return { kind: "refused", why: error["description"] };
    return { kind: "answer", answer, tookMs: performance.now() - beganMs };
  } catch (error) {
    return { kind: "refused", why: error instanceof Error ? error.message : String(error) };
  }
}

function recordOf(value: unknown): Answer {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function room(account: Answer): Finding {
  const used = numberOf(account["storage"]);
  const most = numberOf(recordOf(account["limits"])["max_storage"]);
  const mib = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
  if (most <= 0) return ok("jetstream", `${mib(used)} on disk`);
  const told = `${mib(used)} of ${mib(most)} on disk`;
  return used < fullShare * most ? ok("jetstream", told) : bad("jetstream", told, "give the account more storage");
}

async function* streams(nats: Nats, prefix: string): AsyncGenerator<Finding> {
  const { tasksStream } = toNames(prefix);
  const upper = tasksStream.slice(0, -"_TASKS".length);
  const names = await streamNames(nats);
  const ours = names.filter((name) => name.startsWith(`${upper}_`) || name.startsWith(`KV_${upper}_`));
  if (!ours.includes(tasksStream)) {
    yield notice(
      "streams",
      `there are none of prefix ${prefix} yet`,
      "the first orchestrator makes them; or give --prefix",
    );
    return;
  }
  const wrong: string[] = [];
  let skewMs: number | undefined;
  for (const name of ours) {
    const sentMs = Date.now();
    const found = await ask(nats, `STREAM.INFO.${name}`);
    if (found.kind === "refused") wrong.push(`${name}: ${found.why}`);
    else {
      wrong.push(...troubles(name, found.answer));
      const time = found.answer["ts"];
      if (typeof time === "string") skewMs ??= Date.parse(time) - (sentMs + found.tookMs / 2);
    }
  }
  if (wrong.length === 0) yield ok("streams", `${ours.length}, each with a leader and all its copies`);
  for (const one of wrong) yield bad("streams", one, "look at the nats-servers of the cluster");
  if (skewMs !== undefined) yield clock(skewMs);
}

async function streamNames(nats: Nats): Promise<readonly string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await ask(nats, "STREAM.NAMES", { offset: found.length });
    const names = page.kind === "answer" && Array.isArray(page.answer["streams"]) ? page.answer["streams"] : [];
    found.push(...names.filter((name) => typeof name === "string"));
    if (names.length === 0 || (page.kind === "answer" && found.length >= numberOf(page.answer["total"]))) return found;
  }
}

/** What is wrong with a stream on a cluster; a single server has no word about leaders. */
function troubles(name: string, info: Answer): readonly string[] {
  const cluster = recordOf(info["cluster"]);
  if (cluster["name"] === undefined) return [];
  if (typeof cluster["leader"] !== "string" || cluster["leader"] === "") return [`${name} has no leader`];
  const replicas: readonly unknown[] = Array.isArray(cluster["replicas"]) ? cluster["replicas"] : [];
  const behind = replicas.map(recordOf).filter((one) => one["current"] !== true || one["offline"] === true);
  return behind.map((one) => `${name}: the copy on ${String(one["name"])} is not up to date`);
}

function clock(skewMs: number): Finding {
  const told = `this machine's clock and that of nats-server differ by ${durationText(Math.abs(skewMs))}`;
  if (Math.abs(skewMs) < skewToldMs) return ok("clock", told);
  const next = "let both take the time from the network (chrony, systemd-timesyncd)";
  return Math.abs(skewMs) < skewBadMs ? notice("clock", told, next) : bad("clock", told, next);
}
