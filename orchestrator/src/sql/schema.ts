import type { Query } from "./database.ts";

/** Grows with each change of the tables; rows of another version are made anew from the log. */
export const schemaVersion = 2;

/** Columns of `runs` that a row brings, and their types: names that both databases know. Times are milliseconds since 1970. */
export const runColumns = {
  id: "text",
  part: "integer",
  seq: "bigint",
  epoch: "bigint",
  workflow: "text",
  version: "integer",
  run_key: "text",
  state: "integer",
  held: "integer",
  started: "bigint",
  ended: "bigint",
  deadline: "bigint",
  trace_id: "text",
  code: "integer",
  message: "text",
  step: "text",
  parent: "text",
  parent_step: "text",
  attributes: "jsonb",
  numbers: "jsonb",
  incidents: "integer",
  approvals: "integer",
  kept: "bigint",
} as const;

/** Columns of `incidents`: one row for each step that waits for a person. */
export const incidentColumns = {
  run_id: "text",
  step: "text",
  compensation: "integer",
  place: "text",
  workflow: "text",
  reason: "integer",
  code: "integer",
  message: "text",
  since: "bigint",
  attempts: "integer",
} as const;

/** Columns of `counts`: how many runs of a version are in a state, by partition so that no two writers meet. */
export const countColumns = {
  part: "integer",
  workflow: "text",
  version: "integer",
  state: "integer",
  n: "bigint",
} as const;

/** Columns by their types. */
export type Columns = Readonly<Record<string, "text" | "integer" | "bigint" | "jsonb">>;

function columnList(columns: Columns): string {
  return Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ");
}

/** What is made anew from the log. */
const derived = ["runs", "incidents", "counts", "cursors"];

const tables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS runs (${columnList(runColumns)}, archived integer NOT NULL DEFAULT 0, PRIMARY KEY (id))`,
  `CREATE INDEX IF NOT EXISTS runs_started ON runs (started, id)`,
  `CREATE INDEX IF NOT EXISTS runs_state ON runs (state, started, id)`,
  `CREATE INDEX IF NOT EXISTS runs_workflow ON runs (workflow, started, id)`,
  `CREATE INDEX IF NOT EXISTS runs_code ON runs (code, started, id) WHERE code IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS runs_key ON runs (run_key, started, id) WHERE run_key IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS runs_parent ON runs (parent, started, id) WHERE parent IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS runs_ended ON runs (ended) WHERE ended IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS runs_kept ON runs ((ended + kept)) WHERE kept > 0`,
  `CREATE TABLE IF NOT EXISTS incidents (${columnList(incidentColumns)}, PRIMARY KEY (run_id, step, compensation))`,
  `CREATE INDEX IF NOT EXISTS incidents_group ON incidents (workflow, place, code, reason)`,
  `CREATE TABLE IF NOT EXISTS counts (${columnList(countColumns)}, PRIMARY KEY (part, workflow, version, state))`,
  `CREATE TABLE IF NOT EXISTS cursors (part integer PRIMARY KEY, seq bigint NOT NULL, epoch bigint NOT NULL, created text NOT NULL)`,
];

const kept: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)`,
  // The only thing here that the log does not have any more.
  `CREATE TABLE IF NOT EXISTS archive (id text PRIMARY KEY, ended bigint NOT NULL, run_row jsonb NOT NULL, history bytea NOT NULL)`,
];

/** Makes what is missing. True: the rows were of another version, or there were none: they begin anew. */
export async function prepareSchema(query: Query): Promise<boolean> {
  for (const statement of kept) await query(statement);
  const found = await query(`SELECT version FROM schema_version`);
  const isCurrent = found.length === 1 && found[0]?.["version"] === schemaVersion;
  if (!isCurrent) {
    for (const table of derived) await query(`DROP TABLE IF EXISTS ${table}`);
    await query(`DELETE FROM schema_version`);
    await query(`INSERT INTO schema_version (version) VALUES ($1)`, [schemaVersion]);
  }
  for (const statement of tables) await query(statement);
  return !isCurrent;
}
