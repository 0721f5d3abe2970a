import type { Dialect } from "./database.ts";
import { countColumns, incidentColumns, runColumns } from "./schema.ts";
import type { Columns } from "./schema.ts";

/** The JSON array $1 as rows: the one thing that the databases say differently. */
function rowsOf(dialect: Dialect, columns: Columns, each: string): string {
  const names = Object.entries(columns);
  if (dialect === "postgres")
    return `jsonb_to_recordset($1::jsonb) AS given(${names.map(([name, type]) => `${name} ${type}`).join(", ")})`;
  const values = names.map(([name, type]) => `value${type === "jsonb" ? "->" : "->>"}'${name}' AS ${name}`);
  return `(SELECT ${values.join(", ")} FROM ${each}($1)) AS given`;
}

function insert(dialect: Dialect, table: string, columns: Columns, each: string, rest: string): string {
  const names = Object.keys(columns).join(", ");
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM ${rowsOf(dialect, columns, each)} WHERE true ${rest}`;
}

/**
 * What SQLite makes rows of: from 3.51 on in its binary form. As text each of a row's columns has all of the row written out and read again, which was
 * half of what a row cost.
 */
function eachOf(sqliteVersion: string): string {
  const [major = 0, minor = 0] = sqliteVersion.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 51) ? "jsonb_each" : "json_each";
}

const ids = { id: "text" } as const;
const changed = Object.keys(runColumns).filter((name) => name !== "id");

/** Every statement that writes many rows, in the words of a database. $1 is a JSON array of rows. */
export function toStatements(dialect: Dialect, sqliteVersion = process.versions["sqlite"] ?? "") {
  const each = eachOf(sqliteVersion);
  const given = rowsOf(dialect, ids, each);
  return {
    /** What stands there of the given ids. */
    standing: `SELECT runs.id, part, workflow, version, state, seq, epoch, incidents, archived FROM runs JOIN ${given} ON runs.id = given.id`,
    upsertRuns: insert(
      dialect,
      "runs",
      runColumns,
      each,
      `ON CONFLICT (id) DO UPDATE SET ${changed.map((name) => `${name} = excluded.${name}`).join(", ")} WHERE excluded.seq > runs.seq OR excluded.epoch > runs.epoch`,
    ),
    markArchived: `UPDATE runs SET archived = 1 WHERE id IN (SELECT given.id FROM ${given})`,
    deleteRuns: `DELETE FROM runs WHERE id IN (SELECT given.id FROM ${given})`,
    deleteArchive: `DELETE FROM archive WHERE id IN (SELECT given.id FROM ${given})`,
    deleteIncidents: `DELETE FROM incidents WHERE run_id IN (SELECT given.id FROM ${given})`,
    incidentsOf: `SELECT * FROM incidents WHERE run_id IN (SELECT given.id FROM ${given}) ORDER BY run_id, since, step`,
    insertIncidents: insert(
      dialect,
      "incidents",
      incidentColumns,
      each,
      "ON CONFLICT (run_id, step, compensation) DO NOTHING",
    ),
    addCounts: insert(
      dialect,
      "counts",
      countColumns,
      each,
      "ON CONFLICT (part, workflow, version, state) DO UPDATE SET n = counts.n + excluded.n",
    ),
  } as const;
}

export type Statements = ReturnType<typeof toStatements>;
