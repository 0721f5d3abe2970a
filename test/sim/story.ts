import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import type { StoredRecord } from "../../testing/src/partition/log.ts";
import type { Execution } from "./performed.ts";

/** The log's records and the services' calls, in the order of their times, a line each. */
export function tellStory(
  records: readonly StoredRecord[],
  executions: readonly Execution[],
  startMs: number,
): readonly string[] {
  const lines = records.map(({ runId, record }) => ({
    at: record.storedMs,
    text: `${short(runId)} ${record.sequence} ${factText(record.fact)}`,
  }));
  for (const { runId, step, phase, attempt, startedAt, effectAt } of executions) {
    const name = `${short(runId)} ${phase === 1 ? "undo:" : ""}${step}#${attempt}`;
    lines.push({ at: startedAt, text: `${name} begins at the service` });
    if (effectAt !== undefined) lines.push({ at: effectAt, text: `${name} HAPPENS` });
  }
  return lines.toSorted((a, b) => a.at - b.at).map(({ at, text }) => `${((at - startMs) / 1_000).toFixed(3)}s ${text}`);
}

function short(runId: string): string {
  return runId.slice(13, 16);
}

function factText(fact: LogRecord["fact"]): string {
  if (fact.kind === "event")
    return `${fact.event.kind?.$case ?? "?"} ${JSON.stringify(fact.event.kind?.value, hideBytes)}`;
  const { attempt, kind, delivery, recheck } = fact.outcome;
  const name = `${attempt?.phase === 1 ? "undo:" : ""}${attempt?.step ?? ""}#${attempt?.attempt ?? 0}`;
  const failure = kind?.$case === "failed" ? ` ${kind.value.code}` : "";
  return `${kind?.$case ?? "?"}${failure} ${name} delivery=${delivery}${recheck ? " recheck" : ""}${fact.authentic ? "" : " forged"}`;
}

function hideBytes(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? `${value.length} bytes` : value;
}
