import type { AuditEntry } from "../api/audit.ts";

/** Entries, newest first, with older ones behind them; of those of one id the newest: one that is written again while somebody reads is met twice. */
export function joinedEntries(entries: readonly AuditEntry[], older: readonly AuditEntry[]): readonly AuditEntry[] {
  const byId = new Map<string, AuditEntry>();
  for (const entry of [...entries, ...older]) if (!byId.has(entry.id)) byId.set(entry.id, entry);
  return [...byId.values()];
}
