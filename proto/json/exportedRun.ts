import { Event } from "../gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../gen/sidestep/internal/v1/task.ts";

/**
 * A run outside of its log, in the form in which it is exported: JSON lines. The first says what it is of; each other line is one record of the run's log, with
 * its exact bytes in base64, as docs/simulation.md tells. It has all that a fold needs, secrets of debug_redact fields too.
 */
export interface ExportedRun {
  /** 32 hex digits. */
  readonly runId: string;
  /** Full name of the workflow rpc. */
  readonly workflow: string;
  /** Version of the workflow that the run is pinned to. */
  readonly version: number;
  /** The plan's bytes (sidestep.internal.v1.Plan) that the run follows; undefined: they were not written down. */
  readonly plan: Uint8Array | undefined;
  /** In the order of their sequences. */
  readonly records: readonly ExportedRecord[];
}

/** One record of the log. */
export interface ExportedRecord {
  readonly sequence: number;
  /** When the log stored it, in milliseconds since 1970. */
  readonly storedMs: number;
  readonly fact:
    | { readonly kind: "event"; readonly event: Event }
    | {
        readonly kind: "outcome";
        readonly outcome: Outcome;
        /** Its token was the attempt's. */
        readonly authentic: boolean;
        /** What it claims, where that is kept apart and expressions read it. */
        readonly payload?: Uint8Array;
      };
}

/** What a text that should be an exported run comes to. */
export type ParsedExport =
  | { readonly kind: "run"; readonly run: ExportedRun }
  /** `line` counts from 1. */
  | { readonly kind: "wrong"; readonly line: number; readonly message: string };

/** What the first line has as its `sidestep`. */
const mark = "run";
/** Of the form. */
const formVersion = 1;

/** The lines of an exported run, each without its end. */
export function exportLines({ runId, workflow, version, plan, records }: ExportedRun): readonly string[] {
  const head = { sidestep: mark, form: formVersion, runId, workflow, version };
  const withPlan = plan === undefined ? head : { ...head, plan: toBase64(plan) };
  return [JSON.stringify(withPlan), ...records.map((record) => JSON.stringify(recordJson(record)))];
}

function recordJson({ sequence, storedMs, fact }: ExportedRecord): unknown {
  const head = { sequence, time: new Date(storedMs).toISOString(), storedMs };
  if (fact.kind === "event")
    return { ...head, kind: fact.event.kind?.$case ?? "", event: toBase64(Event.encode(fact.event).finish()) };
  const { outcome, authentic, payload } = fact;
  const bytes = toBase64(Outcome.encode(outcome).finish());
  const step = outcome.attempt?.step ?? "";
  const kept = payload === undefined ? {} : { payload: toBase64(payload) };
  return { ...head, kind: outcome.kind?.$case ?? "", step, authentic, outcome: bytes, ...kept };
}

/** Reads lines of exportLines; empty lines are passed over. Nothing of a run is given when any line is wrong. */
export function parseExport(text: string): ParsedExport {
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const [first, ...rest] = lines.filter(({ line }) => line !== "");
  const head = first === undefined ? undefined : fieldsOf(first.line);
  if (first === undefined || head?.get("sidestep") !== mark)
    return wrong(first?.number ?? 1, 'expected an exported run, whose first line has "sidestep": "run"');
  if (head.get("form") !== formVersion)
    return wrong(first.number, `the form ${String(head.get("form"))} is of another version of Sidestep`);
  const records: ExportedRecord[] = [];
  for (const { line, number } of rest) {
    const record = parseRecord(line);
    if (typeof record === "string") return wrong(number, record);
    if (record.sequence <= (records.at(-1)?.sequence ?? 0))
      return wrong(number, `its sequence ${record.sequence} is not behind that of the line before it`);
    records.push(record);
  }
  const plan = textOf(head, "plan");
  const run = {
    runId: textOf(head, "runId") ?? "",
    workflow: textOf(head, "workflow") ?? "",
    version: numberOf(head, "version") ?? 0,
    plan: plan === undefined ? undefined : fromBase64(plan),
    records,
  };
  return { kind: "run", run };
}

function parseRecord(line: string): ExportedRecord | string {
  const fields = fieldsOf(line);
  if (fields === undefined) return "it is no JSON object";
  const [sequence, storedMs] = [numberOf(fields, "sequence"), numberOf(fields, "storedMs")];
  if (sequence === undefined || storedMs === undefined) return "expected sequence and storedMs, both numbers";
  const [event, outcome, payload] = [textOf(fields, "event"), textOf(fields, "outcome"), textOf(fields, "payload")];
  try {
    if (event !== undefined) {
      const decoded = Event.decode(fromBase64(event));
      return decoded.kind === undefined
        ? "its event is of a kind that this version does not know"
        : { sequence, storedMs, fact: { kind: "event", event: decoded } };
    }
    if (outcome === undefined) return "expected an event, or an outcome, in base64";
    const kept = payload === undefined ? {} : { payload: fromBase64(payload) };
    const authentic = fields.get("authentic") !== false;
    return {
      sequence,
      storedMs,
      fact: { kind: "outcome", outcome: Outcome.decode(fromBase64(outcome)), authentic, ...kept },
    };
  } catch (error) {
    return `its bytes can't be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function fieldsOf(line: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(line);
    return typeof json === "object" && json !== null && !Array.isArray(json)
      ? new Map(Object.entries(json))
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(fields: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = fields.get(name);
  return typeof value === "string" ? value : undefined;
}

function numberOf(fields: ReadonlyMap<string, unknown>, name: string): number | undefined {
  const value = fields.get(name);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function wrong(line: number, message: string): ParsedExport {
  return { kind: "wrong", line, message };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
