import type { Run } from "../api/run.ts";

/** A run of a list, with what a list tells besides. */
export interface Listed {
  readonly run: Run;
  readonly errorStep: string;
  readonly approvals: number;
}

/** Rows as far as they are loaded, and where the next page begins. */
export interface Loaded {
  readonly rows: readonly Listed[];
  readonly token: string;
  readonly isWhole: boolean;
}

/** The first page as it is now, before what was loaded behind it. */
export function joinPage(before: Loaded, page: Loaded): Loaded {
  const last = page.rows.at(-1);
  if (page.isWhole || last === undefined) return page;
  const behind = before.rows.filter((one) => isBehind(one.run, last.run));
  if (behind.length === 0) return page;
  return { rows: [...page.rows, ...behind], token: before.token, isWhole: before.isWhole };
}

/** Rows as they are now in the place of what they were. */
export function replaceRows(rows: readonly Listed[], fresh: readonly Listed[]): readonly Listed[] {
  if (fresh.length === 0) return rows;
  const byId = new Map(fresh.map((one) => [one.run.runId, one]));
  return rows.map((one) => byId.get(one.run.runId) ?? one);
}

/** Lists have the newest first, and of one moment the greatest id. */
function isBehind(run: Run, other: Run): boolean {
  const at = run.startedAt ?? 0;
  const otherAt = other.startedAt ?? 0;
  return at === otherAt ? run.runId < other.runId : at < otherAt;
}
