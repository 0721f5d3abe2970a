import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { placesIn } from "../compile/filter/runFilter.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { Cursor, IncidentGroup, RunCount, RunQuery, RunStore } from "../processor/runStore.ts";
import type { RunRow } from "../projection/runRow.ts";
import { ensureAttributeColumns } from "./attributeIndexes.ts";
import type { Database, Parameter, Query, Row } from "./database.ts";
import { toCondition } from "./filterSql.ts";
import { fromRow, number, text } from "./record.ts";
import type { RunRecord } from "./record.ts";
import { prepareSchema } from "./schema.ts";
import { toStatements } from "./statements.ts";
import type { Statements } from "./statements.ts";
import { removeRows, writeRows } from "./writeRows.ts";

/** What `write` and `archive` of the port become on their way to a database that may be in another thread. */
export type StoreCalls = Pick<
  RunStore,
  "cursor" | "revision" | "list" | "count" | "incidents" | "archived" | "remove" | "prune" | "rebuild" | "finish"
> & {
  readonly write: (batch: RecordBatch) => Promise<"written" | "stale">;
  readonly archive: (record: RunRecord, history: Uint8Array) => Promise<void>;
};

/** A RowBatch with its rows as the tables have them. */
export interface RecordBatch {
  readonly partition: number;
  readonly epoch: number;
  readonly upTo: number | undefined;
  readonly records: readonly RunRecord[];
  /** Ids of deleted runs. */
  readonly deleted: readonly string[];
}

/**
 * The tables of runs over a database; one SQL text for all. They are made at the first call and made again when they are gone: after any
 * failure the next call looks.
 */
export function toStoreCalls(database: Database): StoreCalls {
  const statements = toStatements(database.dialect);
  const known = new Set<string>();
  let prepared: Promise<void> | undefined;
  const ready = async (): Promise<void> => {
    prepared ??= prepare(database, statements);
    await prepared;
  };
  const looked = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      await ready();
      return await work();
    } catch (error) {
      prepared = undefined;
      known.clear();
      throw error;
    }
  };
  const inTransaction = <T>(work: (query: Query) => Promise<T>): Promise<T> => looked(() => database.transaction(work));
  return {
    cursor: (partition, log) => inTransaction((query) => readCursor(query, partition, log)),
    write: async (batch) => {
      await looked(() => ensureAttributeColumns(database.query, batch.records, known));
      return inTransaction((query) => write(query, statements, batch));
    },
    revision: () => looked(() => revision(database.query)),
    list: (query) => looked(() => list(database.query, statements, query)),
    count: (filter) => looked(() => count(database.query, filter)),
    incidents: (filter, limit) => looked(() => groups(database.query, filter, limit)),
    archive: (record, history) => inTransaction((query) => archive(query, statements, record, history)),
    archived: (runId) =>
      looked(async () => {
        const [row] = await database.query(`SELECT history FROM archive WHERE id = $1`, [runId]);
        const history = row?.["history"];
        return history instanceof Uint8Array ? new Uint8Array(history) : undefined;
      }),
    remove: (runId) =>
      inTransaction(async (query) => (await removeRows(query, statements, "WHERE id = $1", [runId])) > 0),
    prune: (options) => inTransaction((query) => prune(query, statements, options)),
    rebuild: (partitions) =>
      inTransaction(async (query) => {
        for (const partition of partitions)
          await query(`UPDATE cursors SET seq = 0, epoch = epoch + 1 WHERE part = $1`, [partition]);
      }),
    finish: (partition, epoch, limit) =>
      inTransaction((query) =>
        removeRows(query, statements, `WHERE part = $1 AND epoch < $2 AND archived = 0 LIMIT $3`, [
          partition,
          epoch,
          limit,
        ]),
      ),
  };
}

async function prune(
  query: Query,
  statements: Statements,
  { partition, before, archived, limit }: Parameters<RunStore["prune"]>[0],
): Promise<number> {
  const { completedMs, failedMs, ownMs, ownEndMs } = before;
  const isFree = archived ? "" : "AND archived = 0";
  const remove = (condition: string, parameters: readonly number[]): Promise<number> =>
    removeRows(query, statements, `WHERE part = $1 AND ${condition} ${isFree} LIMIT $2`, [
      partition,
      limit,
      ...parameters,
    ]);
  // Rows of before this was known say nothing.
  const isPlain = "COALESCE(kept, 0) = 0";
  return (
    (await remove(`ended < $3 AND ${isPlain} AND state = $4`, [completedMs, Run_State.COMPLETED])) +
    (await remove(`ended < $3 AND ${isPlain} AND state <> $4`, [failedMs, Run_State.COMPLETED])) +
    (await remove(`kept > 0 AND ended + kept < $3 AND ended < $4`, [ownMs, ownEndMs]))
  );
}

/** Makes the tables; rows of archived runs come back from the archive, for their log is gone. */
async function prepare(database: Database, statements: Statements): Promise<void> {
  await database.transaction(async (query) => {
    if (!(await prepareSchema(query))) return;
    for (let after = ""; ;) {
      const rows = await query(
        `SELECT id, CAST(run_row AS text) AS run_row FROM archive WHERE id > $1 ORDER BY id LIMIT 500`,
        [after],
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      const records = rows.map((row): RunRecord => JSON.parse(text(row, "run_row")));
      await writeRows(query, statements, records);
      await query(statements.markArchived, [JSON.stringify(rows.map(({ id }) => ({ id })))]);
      after = text(last, "id");
    }
  });
}

async function readCursor(
  query: Query,
  partition: number,
  { created, lastSequence }: { readonly created: string; readonly lastSequence: number },
): Promise<Cursor> {
  const read = async (): Promise<Row | undefined> =>
    (await query(`SELECT seq, epoch, created FROM cursors WHERE part = $1`, [partition]))[0];
  const made = await query(
    `INSERT INTO cursors (part, seq, epoch, created) VALUES ($1, 0, 1, $2) ON CONFLICT (part) DO NOTHING RETURNING part`,
    [partition, created],
  );
  if (made.length > 0) return { sequence: 0, epoch: 1, isNew: true };
  const found = await read();
  if (found !== undefined && text(found, "created") === created && number(found, "seq") <= lastSequence)
    return toCursor(found);
  await query(`UPDATE cursors SET seq = 0, epoch = epoch + 1, created = $2 WHERE part = $1`, [partition, created]);
  return toCursor((await read()) ?? {});
}

function toCursor(row: Row): Cursor {
  return { sequence: number(row, "seq"), epoch: number(row, "epoch") };
}

async function revision(query: Query): Promise<string> {
  const rows = await query(`SELECT part, seq, epoch FROM cursors ORDER BY part`);
  return rows.map((row) => `${number(row, "seq")}.${number(row, "epoch")}`).join();
}

/** The cursor first: whoever writes rows of this partition waits behind it, so that counts stay exact. */
async function write(query: Query, statements: Statements, batch: RecordBatch): Promise<"written" | "stale"> {
  const [cursor] = await query(
    `UPDATE cursors SET seq = CASE WHEN seq < $2 THEN $2 ELSE seq END WHERE part = $1 AND epoch = $3 RETURNING epoch`,
    [batch.partition, batch.upTo ?? 0, batch.epoch],
  );
  if (cursor === undefined) return "stale";
  await writeRows(query, statements, batch.records);
  for (const id of batch.deleted) await removeRows(query, statements, "WHERE id = $1", [id]);
  return "written";
}

const listed = `id, part, seq, workflow, version, run_key, state, held, started, ended, deadline, trace_id, code, message, step, parent, parent_step, CAST(attributes AS text) AS attributes, incidents, approvals`;

async function list(
  query: Query,
  statements: Statements,
  { filter, after, limit, skip = 0 }: RunQuery,
): Promise<readonly RunRow[]> {
  const parameters: Parameter[] = [];
  const condition = toCondition(filter, parameters);
  const behind =
    after === undefined
      ? ""
      : `AND (started, id) < ($${parameters.push(after.startedMs)}, $${parameters.push(after.id)})`;
  const page = `LIMIT $${parameters.push(limit)}${skip === 0 ? "" : ` OFFSET $${parameters.push(skip)}`}`;
  const rows = await query(
    `SELECT ${listed} FROM runs WHERE ${condition} ${behind} ORDER BY started DESC, id DESC ${page}`,
    parameters,
  );
  const paused = rows.filter((row) => number(row, "incidents") > 0).map(({ id }) => ({ id }));
  const open = paused.length === 0 ? [] : await query(statements.incidentsOf, [JSON.stringify(paused)]);
  return rows.map((row) =>
    fromRow(
      row,
      open.filter((incident) => incident["run_id"] === row["id"]),
    ),
  );
}

const counted: ReadonlySet<string> = new Set(["workflow", "version", "state"]);

async function count(query: Query, filter: RunFilter): Promise<readonly RunCount[]> {
  const parameters: Parameter[] = [];
  const condition = toCondition(filter, parameters);
  const isKept = placesIn(filter).every((place) => place.kind === "field" && counted.has(place.name));
  const rows = await query(
    isKept
      ? `SELECT workflow, version, state, sum(n) AS n FROM counts AS runs WHERE ${condition} GROUP BY workflow, version, state HAVING sum(n) <> 0 ORDER BY workflow, version, state`
      : `SELECT workflow, version, state, count(*) AS n FROM runs WHERE ${condition} GROUP BY workflow, version, state ORDER BY workflow, version, state`,
    parameters,
  );
  return rows.map((row) => ({
    workflow: text(row, "workflow"),
    version: number(row, "version"),
    state: number(row, "state"),
    runs: number(row, "n"),
  }));
}

async function groups(query: Query, filter: RunFilter, limit: number): Promise<readonly IncidentGroup[]> {
  const parameters: Parameter[] = [];
  const condition = toCondition(filter, parameters);
  const among = condition === "TRUE" ? "" : `WHERE run_id IN (SELECT runs.id FROM runs WHERE ${condition})`;
  const rows = await query(
    `SELECT workflow, place, compensation, code, reason, count(*) AS n, count(DISTINCT run_id) AS runs, min(since) AS oldest, max(since) AS newest, substr(max(run_id || message), 33) AS message, max(run_id) AS run_id FROM incidents ${among} GROUP BY workflow, place, compensation, code, reason ORDER BY runs DESC, workflow, place, code, reason LIMIT $${parameters.push(limit)}`,
    parameters,
  );
  return rows.map((row) => ({
    workflow: text(row, "workflow"),
    place: text(row, "place"),
    compensation: number(row, "compensation") === 1,
    code: number(row, "code"),
    reason: number(row, "reason"),
    incidents: number(row, "n"),
    runs: number(row, "runs"),
    oldestMs: number(row, "oldest"),
    newestMs: number(row, "newest"),
    message: text(row, "message"),
    runId: text(row, "run_id"),
  }));
}

async function archive(query: Query, statements: Statements, record: RunRecord, history: Uint8Array): Promise<void> {
  await query(`INSERT INTO archive (id, ended, run_row, history) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`, [
    record.id,
    number(record, "ended"),
    JSON.stringify(record),
    history,
  ]);
  await writeRows(query, statements, [record]);
  await query(statements.markArchived, [JSON.stringify([{ id: record.id }])]);
}
