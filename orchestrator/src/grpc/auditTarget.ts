/** What a request that changes something says of it. */
export interface WriteTold {
  /** What it is about; empty: the request does not say. */
  readonly target: string;
  readonly reason: string;
  /** It only asks what would be changed. */
  readonly isDry: boolean;
}

const targetMax = 1_024;
/** Of what is said to a decision, which its own method bounds. */
const commentMax = 1_024;

/** Reads it from the fields that requests of ours have. */
export function parseWrite(request: unknown): WriteTold {
  const about = fields(request);
  const kind = fields(fields(about["target"])["kind"]);
  const target = [
    about["runId"],
    about["sidecarId"],
    about["bulkId"],
    about["scheduleId"],
    about["triggerId"],
    about["filter"],
    about["method"],
    fields(about["limit"])["method"],
    kind["value"],
  ].find((one) => typeof one === "string" && one !== "");
  const action = fields(about["action"]);
  return {
    target: text(target).slice(0, targetMax),
    reason: text(about["reason"] ?? action["reason"] ?? text(about["comment"]).slice(0, commentMax)),
    isDry: about["dryRun"] === true,
  };
}

/** The workflows that an answer names; empty: none. */
export function writtenTargets(answer: unknown): string {
  const workflows = fields(answer)["workflows"];
  const all: readonly unknown[] = Array.isArray(workflows) ? workflows : [];
  const names = all.map((one) => text(fields(one)["workflow"])).filter((name) => name !== "");
  return names.join(", ").slice(0, targetMax);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
