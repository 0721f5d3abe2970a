import { logSettings } from "../../runtime/src/logSettings.ts";
import { natsSettings } from "../../runtime/src/natsSettings.ts";
import { duration, integer, optionalPort, text, textOr, toggle } from "../../runtime/src/setting.ts";
import type { Setting, SettingText, Values } from "../../runtime/src/setting.ts";
import type { StorePlace } from "./sql/store.ts";
import { traceSettings } from "./otlp/traceSettings.ts";

/** Every setting of an orchestrator: its flags, variables, help and documentation are made from here. */
export const orchestratorSettings = {
  listen: hostAndPort(
    {
      flag: "listen",
      doc: "Where the front door listens: gRPC, JSON and the console. Another address than loopback takes TLS, and tokens or client certificates.",
    },
    "127.0.0.1:7420",
  ),
  insecureListen: toggle(
    {
      flag: "insecure-listen",
      doc: "Listen on another address than loopback without them: everybody who reaches it may do everything.",
    },
    false,
  ),
  tokens: text({
    flag: "tokens",
    placeholder: "<file>",
    doc: "File of those who may call, made by `sidestep token create`; read again when it changes. Without it everybody may do everything.",
  }),
  tlsCert: text({
    flag: "tls-cert",
    placeholder: "<file>",
    doc: "The front door's certificate, as PEM; read again when it changes.",
  }),
  tlsKey: text({ flag: "tls-key", placeholder: "<file>", doc: "Its private key, as PEM." }),
  tlsClientCa: text({
    flag: "tls-client-ca",
    placeholder: "<file>",
    doc: "Certificate of who signs those of clients, as PEM: clients without one are refused.",
  }),
  adminHost: textOr(
    { flag: "admin-host", placeholder: "<host>", doc: "Address of /livez, /readyz and /metrics." },
    "127.0.0.1",
  ),
  adminPort: optionalPort({ flag: "admin-port", doc: "Port of /livez, /readyz and /metrics." }, "next free from 7421"),
  partitions: integer(
    {
      flag: "partitions",
      doc: "Partitions of the log; counts at the very first start only, later ones go by what stands.",
    },
    4,
    { min: 1, max: 256 },
  ),
  replicas: integer(
    { flag: "replicas", doc: "Copies of each stream: 1, or 3 on a cluster, which survives the loss of a node." },
    1,
    { min: 1, max: 5 },
  ),
  payloadBytesMax: integer(
    { flag: "payload-bytes-max", doc: "Bytes of one request, result or kept value." },
    256 * 1024,
    { min: 1024, max: 512 * 1024 },
  ),
  evaluationStepsMax: integer(
    { flag: "evaluation-steps-max", doc: "Comprehension steps that one evaluation of an expression may take." },
    100_000,
    { min: 1_000, max: 10_000_000 },
  ),
  pendingStepsMax: integer({ flag: "pending-steps-max", doc: "Open steps of a run at one time." }, 1_000, {
    min: 1,
    max: 100_000,
  }),
  signalsMax: integer(
    { flag: "signals-max", doc: "Signals of a run that wait to be taken; one more is refused." },
    1_000,
    { min: 1, max: 100_000 },
  ),
  yieldsMax: integer(
    {
      flag: "yields-max",
      doc: "Messages of a streaming run that are kept for callers who come back; older ones are gone.",
    },
    1_000,
    { min: 1, max: 100_000 },
  ),
  yieldsBytesMax: integer(
    {
      flag: "yields-bytes-max",
      doc: "Bytes of those messages; the last one stays, however large.",
    },
    8 * 1024 * 1024,
    { min: 1024, max: 64 * 1024 * 1024 },
  ),
  turnStepsMax: integer(
    {
      flag: "turn-steps-max",
      doc: "Steps of a run that begin in one turn; what is more begins in the next, after what others have waited for.",
    },
    10_000,
    { min: 100, max: 1_000_000 },
  ),
  itemsMax: integer({ flag: "items-max", doc: "Passes of one for_each; a longer list fails its step." }, 10_000, {
    min: 1,
    max: 1_000_000,
  }),
  parallelMax: integer(
    { flag: "parallel-max", doc: "Passes of one for_each at one time, unless its max_parallel says how many." },
    100,
    { min: 1, max: 100_000 },
  ),
  requestBytesMax: integer(
    {
      flag: "request-bytes-max",
      doc: "Bytes of a request that starts a run; one larger than payload-bytes-max is kept apart.",
    },
    4 * 1024 * 1024,
    { min: 1024, max: 4 * 1024 * 1024 },
  ),
  claimedBytesMax: integer(
    {
      flag: "claimed-bytes-max",
      doc: "Bytes of one answer of a service that is kept apart and passed on: one larger than payload-bytes-max.",
    },
    64 * 1024 * 1024,
    { min: 1024, max: 64 * 1024 * 1024 },
  ),
  snapshotEvents: integer(
    {
      flag: "snapshot-events",
      doc: "Events of a run after which what they add up to is written into the log, and the events are removed.",
    },
    5_000,
    { min: 100, max: 1_000_000 },
  ),
  retention: retention(
    {
      flag: "retention",
      doc: "How long an ended run is kept with all that belongs to it, then it is deleted and its key is free; 0s keeps all for ever. The same for all orchestrators.",
    },
    "7d",
  ),
  retentionFailed: retentionFailed({
    flag: "retention-failed",
    doc: "The same for runs that did not complete. A workflow's own `retention` comes before both.",
  }),
  auditRetention: duration(
    {
      flag: "audit-retention",
      doc: "How long entries of the audit are kept: who steered what. The newest 100,000 at most. The same for all orchestrators.",
    },
    "90d",
    { min: 3_600_000, max: 100 * 366 * 86_400_000 },
  ),
  index: indexPlace({
    flag: "index",
    placeholder: "<where>",
    doc: "Where the index of runs is: temporary (SQLite, made anew at each start), a file of SQLite's, postgres://…, or off. All but its archive can be made anew from the log at any time.",
  }),
  archive: duration(
    {
      flag: "archive",
      doc: "How long after their end runs stay in the index with their history, once the log has deleted them; 0s: not at all. Needs a file or PostgreSQL for --index.",
    },
    "0s",
    { min: 0, max: 100 * 366 * 86_400_000 },
  ),
  backlogMax: integer(
    { flag: "backlog-max", doc: "Events of a partition that may wait to be folded; new runs are refused beyond it." },
    20_000,
    { min: 100, max: 10_000_000 },
  ),
  startsMax: integer(
    { flag: "starts-max", doc: "Starts that wait here to become durable at one time; one more is refused." },
    1_000,
    { min: 1, max: 1_000_000 },
  ),
  secretFile: text({
    flag: "secret-file",
    placeholder: "<file>",
    doc: "File with the secret that fences attempts, the same for all orchestrators; without it one is made and kept in NATS.",
  }),
  webhook: {
    ...webAddress({
      flag: "webhook",
      placeholder: "<url>",
      doc: "Where incidents and failed runs are told to by a signed POST: docs/webhook.md. Not set: nowhere.",
    }),
    isSecret: true,
  },
  webhookSecretFile: text({
    flag: "webhook-secret-file",
    placeholder: "<file>",
    doc: "File with the secret that signs what --webhook sends, at least 16 characters.",
  }),
  hookSecrets: text({
    flag: "hook-secrets",
    placeholder: "<folder>",
    doc: "Folder with a file for each trigger that is called over HTTP, `package.Service.Method.trigger`, a secret of at least 16 characters a line: docs/triggers.md. Not set: where callers need no token, they need no signature.",
  }),
  jaegerUrl: webAddress({
    flag: "jaeger-url",
    placeholder: "<url>",
    doc: "Base of the Jaeger pages that show the traces of runs, such as http://localhost:16686: the console and `Runs.Get` link to them. Not set: no links.",
  }),
  tracesKept: integer(
    {
      flag: "traces-kept",
      doc: "Traces that are kept in memory and shown in the console, with what services export to the front door by OTLP, gRPC or HTTP; that is passed on to --otlp-endpoint when it is set. 0: none. For one orchestrator on one machine.",
    },
    0,
    { min: 0, max: 10_000 },
  ),
  drainTimeout: duration({ flag: "drain-timeout", doc: "How long a shutdown may take." }, "15s", {
    min: 0,
    max: 3_600_000,
  }),
  ...natsSettings,
  ...logSettings,
  ...traceSettings,
};

export type OrchestratorSettings = Values<typeof orchestratorSettings>;

/** What is wrong with settings together, though each is fine. */
export function misfits(settings: Pick<OrchestratorSettings, AccessSetting>): readonly string[] {
  const { listen, insecureListen, tokens, tlsCert, tlsKey, tlsClientCa } = settings;
  const problems: string[] = [];
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    problems.push("--tls-cert and --tls-key belong together: give both, or none");
  if (tlsClientCa !== undefined && tlsCert === undefined)
    problems.push("--tls-client-ca takes --tls-cert and --tls-key too");
  const isSafe = tlsCert !== undefined && (tokens !== undefined || tlsClientCa !== undefined);
  if (!isLoopback(listen) && !insecureListen && !isSafe)
    problems.push(
      `--listen ${listen} is reached from other machines: give it TLS (--tls-cert, --tls-key) and --tokens or --tls-client-ca, listen on 127.0.0.1, or say --insecure-listen where the network keeps others out`,
    );
  return problems;
}

type AccessSetting = "listen" | "insecureListen" | "tokens" | "tlsCert" | "tlsKey" | "tlsClientCa";

function isLoopback(address: string): boolean {
  return /^(localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d+$/.test(address);
}

/** Not shorter than what other deadlines of ours allow for: of takeovers, of void starts, of message ids. */
const retentionMinMs = 5 * 60_000;

function retention(about: SettingText, fallback: string): Setting<number> {
  const any = duration(about, fallback, { min: 0, max: 100 * 366 * 86_400_000 });
  return {
    ...any,
    read: (given) => {
      const read = any.read(given);
      if (read.kind === "problem" || read.value === 0 || read.value >= retentionMinMs) return read;
      return { kind: "problem", expected: "a duration of 5m or more, such as 12h or 30d, or 0s to keep ended runs" };
    },
  };
}

/** Undefined: as others. */
function retentionFailed(about: SettingText): Setting<number | undefined> {
  return { ...retention(about, "7d"), defaultText: "as --retention", absent: undefined };
}

/** Undefined: off. A URL may hold a password, so what was given is shown nowhere. */
function indexPlace(about: SettingText): Setting<StorePlace | undefined> {
  const temporary: StorePlace = { kind: "sqlite", file: "" };
  return {
    ...text(about),
    defaultText: "temporary",
    absent: temporary,
    isSecret: true,
    read: ([given = ""]) => {
      if (given === "off") return { kind: "value", value: undefined };
      if (given === "temporary") return { kind: "value", value: temporary };
      if (/^postgres(?:ql)?:\/\/./.test(given)) return { kind: "value", value: { kind: "postgres", url: given } };
      if (/[/\\.]/.test(given) && !given.includes("://"))
        return { kind: "value", value: { kind: "sqlite", file: given } };
      return {
        kind: "problem",
        expected: "temporary, off, a file such as ./index.db, or postgres://user@host/database",
      };
    },
  };
}

function webAddress(about: SettingText): Setting<string | undefined> {
  return {
    ...text(about),
    read: ([given = ""]) => {
      const url = URL.parse(given);
      // No request can be made to one with a name and a password in it.
      const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
      return isPlain
        ? { kind: "value", value: given }
        : { kind: "problem", expected: "a URL such as http://localhost:16686, without user and password" };
    },
  };
}

function hostAndPort(about: SettingText, fallback: string): Setting<string> {
  return {
    ...textOr({ ...about, placeholder: "<host:port>" }, fallback),
    read: ([given = ""]) => {
      const port = /^(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(given)?.[1];
      return port !== undefined && Number(port) <= 65_535
        ? { kind: "value", value: given }
        : { kind: "problem", expected: "host:port, such as 127.0.0.1:7420 or [::]:7420" };
    },
  };
}
