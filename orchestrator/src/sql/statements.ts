import type { Dialect } from "./database.ts";
import { countColumns, incidentColumns, runColumns } from "./schema.ts";
import type { Columns } from "./schema.ts";

/** The JSON array $1 as rows: the one thing that the databases say differently. */
function rowsOf(dialect: Dialect, columns: Columns): string {
  const names = Object.entries(columns);
  if (dialect === "postgres")
    return `jsonb_to_recordset($1::jsonb) AS given(${names.map(([name, type]) => `${name} ${type}`).join(", ")})`;
  const values = names.map(([name, type]) => `value${type === "jsonb" ? "->" : "->>"}'${name}' AS ${name}`);
  return `(SELECT ${values.join(", ")} FROM json_each($1)) AS given`;
}

function insert(dialect: Dialect, table: string, columns: Columns, rest: string): string {
  const names = Object.keys(columns).join(", ");
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM ${rowsOf(dialect, columns)} WHERE true ${rest}`;
}

const ids = { id: "text" } as const;
const changed = Object.keys(runColumns).filter((name) => name !== "id");

/** Every statement that writes many rows, in the words of a database. $1 is a JSON array of rows. */
export function toStatements(dialect: Dialect) {
  const given = rowsOf(dialect, ids);
  return {
    /** What stands there of the given ids. */
    standing: `SELECT runs.id, part, workflow, version, state, seq, epoch, incidents, archived FROM runs JOIN ${given} ON runs.id = given.id`,
    upsertRuns: insert(
      dialect,
      "runs",
      runColumns,
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
      "ON CONFLICT (run_id, step, compensation) DO NOTHING",
    ),
    addCounts: insert(
      dialect,
      "counts",
      countColumns,
      "ON CONFLICT (part, workflow, version, state) DO UPDATE SET n = counts.n + excluded.n",
    ),
  } as const;
}

export type Statements = ReturnType<typeof toStatements>;
