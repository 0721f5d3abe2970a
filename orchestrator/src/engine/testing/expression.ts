import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Expression as StoredExpression } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Error as CaughtError } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { codeName } from "../../../../proto/wire/status.ts";
import type { Bindings } from "../expression/bindings.ts";
import type { Expression } from "../expression/load.ts";
import type { Evaluated, KeptValue, RawValue } from "../expression/result.ts";

/** What an expression of a test yields. */
export type Wanted = "bool" | "string" | "timestamp" | "kept";

/** Type of all values of tests: a message, so that its bytes, which are text, stand for themselves. */
export const testType = "google.protobuf.Empty";

/** All times of tests count from here. */
export const epochMs = 1_000_000;

/**
 * A stored expression in the little language of engine tests, which needs no types: `true`, `false`, `has(steps.id)`, `'text'`, names
 * (their bytes are text), `a + b`, `a==b`, `now+5s`, `@20s`, lists `['a','b']` and `items(3)`, `join(list)`, `int(index)`,
 * `field(message,2)`, `error.code`, and `oops(message)`, which fails.
 */
export function makeExpression(wanted: Wanted, source: string, path: string): StoredExpression {
  return { checked: new TextEncoder().encode(`${wanted}:${source}`), source, path, redacted: false };
}

/** Loads what makeExpression made. */
export function loadTestExpression(stored: StoredExpression): Expression {
  const text = new TextDecoder().decode(stored.checked);
  const wanted = text.slice(0, text.indexOf(":")) as Wanted;
  const source = text.slice(wanted.length + 1);
  const reads = [...source.matchAll(/(?<![.'\w])[a-z]\w*(?![('\w.])/g)].map(([name]) => name);
  return {
    source,
    type: "text",
    reads,
    steps: [],
    passes: /^[a-z]\w*$/.test(source) ? source : undefined,
    evaluate: (bindings) => evaluate(wanted, source, bindings),
  };
}

function evaluate(wanted: Wanted, source: string, bindings: Bindings): Evaluated<RawValue> {
  const failure = /^oops\((.*)\)$/.exec(source);
  if (failure !== null) return { kind: "failed", message: failure[1] ?? "", offset: 0 };
  switch (wanted) {
    case "bool":
      return { kind: "value", value: { kind: "bool", value: isTrue(source, bindings) } };
    case "timestamp": {
      const ms = timeOf(source, bindings);
      const seconds = Math.floor(ms / 1000);
      const instant = { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
      return { kind: "value", value: { kind: "timestamp", value: instant } };
    }
    case "string":
      return { kind: "value", value: { kind: "string", value: textOf(source, bindings) } };
    case "kept": {
      const list = listOf(source);
      if (list !== undefined) return { kind: "value", value: { kind: "kept", value: list } };
      const bytes = new TextEncoder().encode(textOf(source, bindings));
      return { kind: "value", value: { kind: "kept", value: { type: "text", bytes } } };
    }
  }
}

function isTrue(source: string, bindings: Bindings): boolean {
  if (source.startsWith("!")) return !isTrue(source.slice(1), bindings);
  const has = /^has\(steps\.(\w+)\)$/.exec(source);
  if (has !== null) return bindings.step(has[1] ?? "") !== undefined;
  const same = /^(.+)==(.+)$/.exec(source);
  if (same !== null) return textOf(same[1] ?? "", bindings) === textOf(same[2] ?? "", bindings);
  return source === "true";
}

function timeOf(source: string, bindings: Bindings): number {
  if (source.startsWith("@")) return epochMs + parseMs(source.slice(1));
  const nowMs = Number(bindings.now?.seconds ?? 0n) * 1000 + (bindings.now?.nanos ?? 0) / 1_000_000;
  return nowMs + parseMs(source.replace(/^now\+/, ""));
}

function textOf(source: string, bindings: Bindings): string {
  return source
    .split("+")
    .map((part) => {
      const text = part.trim();
      if (text.startsWith("'")) return text.slice(1, -1);
      if (text === "run.id") return bindings.run?.id ?? "";
      if (text.startsWith("metadata.")) return bindings.metadata.get(text.slice("metadata.".length)) ?? "";
      const shown = /^(join|int|field)\((\w+)(?:,(\d+))?\)$/.exec(text);
      if (shown !== null) return showPart(shown[1] ?? "", bindings.variable(shown[2] ?? ""), Number(shown[3] ?? 1));
      if (text.startsWith("error.")) return showError(text.slice("error.".length), bindings.variable("error"));
      const attempts = /^steps\.(\w+)\.attempts$/.exec(text);
      if (attempts !== null) return String(bindings.step(attempts[1] ?? "")?.attempts ?? "");
      return new TextDecoder().decode(bindings.variable(text));
    })
    .join("");
}

/** `['a','b']` and `items(3)`, which is ['0','1','2']. */
function listOf(source: string): KeptValue | undefined {
  const literal = /^\[(.*)\]$/.exec(source)?.[1];
  const count = /^items\((\d+)\)$/.exec(source)?.[1];
  if (literal === undefined && count === undefined) return undefined;
  const texts =
    count === undefined
      ? [...(literal ?? "").matchAll(/'([^']*)'/g)].map((match) => match[1] ?? "")
      : Array.from({ length: Number(count) }, (_, i) => String(i));
  const writer = new BinaryWriter();
  for (const text of texts) writer.tag(1, WireType.LengthDelimited).string(text);
  return { type: `list(${testType})`, bytes: writer.finish() };
}

/** The elements of a list joined by commas, an int, or one field of a message. */
function showPart(what: string, bytes: Uint8Array | undefined, number: number): string {
  if (bytes === undefined) return "?";
  const reader = new BinaryReader(bytes);
  const found: string[] = [];
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (what === "int") return reader.int64().toString();
    if (no === number) found.push(reader.string());
    else reader.skip(wire, no);
  }
  return found.join(",");
}

function showError(name: string, bytes: Uint8Array | undefined): string {
  const error = CaughtError.decode(bytes ?? new Uint8Array());
  switch (name) {
    case "code":
      return codeName(error.code);
    case "detail":
      return new TextDecoder().decode(error.detail?.value);
    case "in_doubt":
      return String(error.inDoubt);
    default:
      return error[name as "message" | "step" | "reason" | "domain"];
  }
}

/** "2.5s", "300ms", "5m", "1h" in milliseconds. */
export function parseMs(text: string): number {
  const match = /^(-?[\d.]+)(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new Error(`not a duration: '${text}'`);
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return Math.round(Number(match[1]) * (units[match[2] ?? ""] ?? 0));
}
