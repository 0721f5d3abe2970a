import { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { Waiting_Kind as Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import type { Waiting } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";

/** One sentence of what a step, or the run, waits for. */
export function waitingText(wait: Waiting, nowMs: number): string {
  const { step, compensation } = wait;
  const who = step === "" ? "the run" : compensation ? `undoing ${step}` : step;
  return `${who}: ${reasonText(wait, nowMs)}`;
}

function reasonText(wait: Waiting, nowMs: number): string {
  const since = sinceText(wait, nowMs);
  const until = untilText(wait, nowMs);
  switch (wait.kind) {
    case Kind.INCIDENT:
      return `${incidentText(wait)} A person decides: retry, skip, patch, fail or compensate${since}.`;
    case Kind.PAUSED:
      return `paused${byText(wait)}${since}; resume lets it go on.`;
    case Kind.APPROVAL:
      return `waits for ${wait.approvers.length === 0 ? "anybody" : listText(wait.approvers)} to approve or reject${since}${until}.`;
    case Kind.SIGNAL:
      return `waits for signal ${wait.signal}${since}${until}.`;
    case Kind.HOLD:
      return `calls of ${wait.method} are held back${byText(wait)}${since}; release lets them go on.`;
    case Kind.DRIFT:
      return `${wait.reason}${since}; a service that fits lets it go on.`;
    case Kind.LOCK:
      return `waits for lock ${wait.lock}${lockText(wait)}${since}.`;
    case Kind.TIMER:
      return `goes on${inText(wait, nowMs)}.`;
    case Kind.CHILD:
      return `waits for its child, run ${wait.childRunId} of ${wait.method}${since}.`;
    case Kind.MESSAGE:
      return `its message is being stored${since}.`;
    case Kind.WRITE:
      return `its task could not be written, NATS takes none: it is tried again${inText(wait, nowMs)}.`;
    case Kind.END:
      return "its end is being written.";
    case Kind.TURN:
    case Kind.KIND_UNSPECIFIED:
    case Kind.UNRECOGNIZED:
      return "goes on at once.";
    case Kind.SIDECAR:
    case Kind.BREAKER:
    case Kind.BACKOFF:
    case Kind.LIMIT:
    case Kind.OUTCOME:
    case Kind.CLOSING:
    case Kind.VERIFYING:
    case Kind.DOUBT:
      return `${callText(wait, wait.kind, nowMs)}.${lastErrorText(wait)}`;
  }
}

type CallKind =
  | typeof Kind.SIDECAR
  | typeof Kind.BREAKER
  | typeof Kind.BACKOFF
  | typeof Kind.LIMIT
  | typeof Kind.OUTCOME
  | typeof Kind.CLOSING
  | typeof Kind.VERIFYING
  | typeof Kind.DOUBT;

function callText(wait: Waiting, kind: CallKind, nowMs: number): string {
  const since = sinceText(wait, nowMs);
  const until = untilText(wait, nowMs);
  const call = `attempt ${wait.attempt} of ${wait.attemptsMax} of ${wait.method}`;
  switch (kind) {
    case Kind.SIDECAR:
      return `no sidecar offers ${splitMethod(wait.method).service}, ${call} waits for one${since}`;
    case Kind.BREAKER:
      return `too many calls of ${wait.method} have failed: ${listText(wait.offers.map((it) => it.sidecar))} let one through now and then, ${call} waits${since}`;
    case Kind.BACKOFF:
      return `attempt ${wait.attempt + 1} of ${wait.attemptsMax} of ${wait.method} begins${inText(wait, nowMs)}`;
    case Kind.LIMIT:
      return `${call} is under way or waits for its turn, for the method is limited${since}${until}`;
    case Kind.OUTCOME:
      return `${call} is under way${offersText(wait)}${since}${until}`;
    case Kind.CLOSING:
      return `${call} is being stopped, how it ended is awaited${since}`;
    case Kind.VERIFYING:
      return `whether its call was carried out is not known, ${wait.method} is being asked${until}`;
    case Kind.DOUBT:
      return "whether its call was carried out is not known, and asked once an attempt that may be under way is surely over";
  }
}

function lastErrorText({ lastError }: Waiting): string {
  return lastError === undefined ? "" : ` The last error: ${errorText(lastError)}`;
}

function incidentText({ incident, attempt, method, lastError }: Waiting): string {
  const error = lastError === undefined ? "" : `: ${errorText(lastError)}`;
  const call = method === "" ? "it" : method;
  switch (incident) {
    case Incident_Reason.EXHAUSTED:
      return `${call} failed ${attempt === 1 ? "at its only attempt" : `${attempt} times`}${error}.`;
    case Incident_Reason.IN_DOUBT:
      return `${call} may have been carried out${error}.`;
    case Incident_Reason.COMMAND_REJECTED:
      return `what it asks for can't be written${error}.`;
    case Incident_Reason.REASON_UNSPECIFIED:
    case Incident_Reason.UNRECOGNIZED:
      return `${call} stands${error}.`;
  }
}

function lockText({ lockRunId, lockStep, lockPlace }: Waiting): string {
  if (lockRunId === "") return "";
  const before = lockPlace <= 1 ? "next in line" : `${lockPlace - 1} before it in line`;
  return `, held by step ${lockStep} of run ${lockRunId}, ${before}`;
}

function offersText({ offers }: Waiting): string {
  return offers.length === 0 ? "" : ` at ${listText(offers.map((it) => it.sidecar))}`;
}

function byText({ actor, reason }: Waiting): string {
  return `${actor === "" ? "" : ` by ${actor}`}${reason === "" ? "" : ` (${reason})`}`;
}

const namedMax = 3;

function listText(names: readonly string[]): string {
  const named = names.slice(0, namedMax).join(", ");
  return names.length > namedMax ? `${named} and ${names.length - namedMax} more` : named;
}

const errorCharactersMax = 200;

function errorText({ code, message }: RpcStatus): string {
  const line = message.replaceAll(/\s+/g, " ").trim();
  const text = line.length > errorCharactersMax ? `${line.slice(0, errorCharactersMax)}…` : line;
  return text === "" ? codeName(code) : `${codeName(code)}: ${text}`;
}

function sinceText({ since }: Waiting, nowMs: number): string {
  return since === undefined ? "" : `, for ${spanText(nowMs - msOf(since))} now`;
}

function untilText({ until }: Waiting, nowMs: number): string {
  return until === undefined ? "" : `, for ${spanText(msOf(until) - nowMs)} more at the most`;
}

function inText({ until }: Waiting, nowMs: number): string {
  return until === undefined ? "" : ` in ${spanText(msOf(until) - nowMs)}`;
}

function msOf({ seconds, nanos }: NonNullable<Waiting["since"]>): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}

const units = [
  { ms: 86_400_000, name: "d" },
  { ms: 3_600_000, name: "h" },
  { ms: 60_000, name: "min" },
  { ms: 1_000, name: "s" },
] as const;

/** "3 d 4 h", "5 min 20 s", "12 s"; less than a second is told as one. */
function spanText(ms: number): string {
  const whole = Math.max(1, Math.round(ms / 1000)) * 1000;
  const at = units.findIndex((unit) => whole >= unit.ms);
  const unit = units[at];
  const next = units[at + 1];
  if (unit === undefined) return "1 s";
  const rest = next === undefined ? 0 : Math.floor((whole % unit.ms) / next.ms);
  const first = `${Math.floor(whole / unit.ms)} ${unit.name}`;
  return next === undefined || rest === 0 ? first : `${first} ${rest} ${next.name}`;
}
