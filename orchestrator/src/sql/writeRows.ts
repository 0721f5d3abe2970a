import type { Parameter, Query } from "./database.ts";
import { number, text } from "./record.ts";
import type { RunRecord } from "./record.ts";
import type { Statements } from "./statements.ts";

/** Rows and what follows from them, incidents and counts. Rows of an earlier position than what stands there are left out. */
export async function writeRows(query: Query, statements: Statements, records: readonly RunRecord[]): Promise<void> {
  if (records.length === 0) return;
  const standing = new Map(
    (await query(statements.standing, [idsOf(records)])).map((row) => [text(row, "id"), row] as const),
  );
  const counts = openCounts();
  const written: RunRecord[] = [];
  const changed: RunRecord[] = [];
  for (const record of records) {
    const before = standing.get(record.id);
    if (before !== undefined && number(before, "epoch") >= record.epoch && number(before, "seq") >= record.seq)
      continue;
    written.push(record);
    if (before !== undefined) counts.add(before, -1);
    counts.add(record, 1);
    if (record.open.length > 0 || (before !== undefined && number(before, "incidents") > 0)) changed.push(record);
  }
  if (written.length === 0) return;
  // Their incidents stand in another table: no column takes `open`.
  await query(statements.upsertRuns, [JSON.stringify(written)]);
  if (changed.length > 0) {
    await query(statements.deleteIncidents, [idsOf(changed)]);
    const open = changed.flatMap((record) => record.open);
    if (open.length > 0) await query(statements.insertIncidents, [JSON.stringify(open)]);
  }
  await counts.write(query, statements);
}

/** Removes the rows that a condition finds, and all that follows from them; how many. */
export async function removeRows(
  query: Query,
  statements: Statements,
  condition: string,
  parameters: readonly Parameter[],
): Promise<number> {
  const rows = await query(`SELECT id, part, workflow, version, state FROM runs ${condition}`, parameters);
  if (rows.length === 0) return 0;
  const ids = JSON.stringify(rows.map(({ id }) => ({ id })));
  const counts = openCounts();
  for (const row of rows) counts.add(row, -1);
  // Whoever writes rows of this partition waits behind its counts.
  await counts.write(query, statements);
  for (const statement of [statements.deleteIncidents, statements.deleteArchive, statements.deleteRuns])
    await query(statement, [ids]);
  return rows.length;
}

function idsOf(records: readonly RunRecord[]): string {
  return JSON.stringify(records.map(({ id }) => ({ id })));
}

/** Sums up what changes in the counts, so that each is written once. */
function openCounts() {
  const changes = new Map<string, { part: number; workflow: string; version: number; state: number; n: number }>();
  return {
    add: (row: Readonly<Record<string, unknown>>, n: number): void => {
      const change = {
        part: number(row, "part"),
        workflow: text(row, "workflow"),
        version: number(row, "version"),
        state: number(row, "state"),
      };
      const name = `${change.part} ${change.version} ${change.state} ${change.workflow}`;
      const known = changes.get(name);
      if (known === undefined) changes.set(name, { ...change, n });
      else known.n += n;
    },
    write: async (query: Query, statements: Statements): Promise<void> => {
      // In one order for all, so that no two writers wait for each other.
      const due = [...changes].filter(([, { n }]) => n !== 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
      if (due.length > 0) await query(statements.addCounts, [JSON.stringify(due.map(([, change]) => change))]);
    },
  };
}
