import type { Pool, PoolClient } from "pg";
import { RunStoreError } from "../processor/runStore.ts";
import type { Database, Parameter, Query } from "./database.ts";

const connectionsMax = 4;
const connectMs = 5_000;
const statementMs = 60_000;
/** Type numbers of PostgreSQL, as it sends them. */
const int8 = 20;
const numeric = 1700;

/** A PostgreSQL by its URL, over a few connections that are opened when they are needed. Nothing is asked of it yet. */
export async function openPostgres(url: string): Promise<Database> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: statementMs + connectMs,
    application_name: "sidestep",
    keepAlive: true,
    types: {
      getTypeParser: (type: number, format?: "text" | "binary") =>
        type === int8 || type === numeric ? Number : pg.types.getTypeParser(type, format),
    },
  });
  // One that breaks while nobody waits for an answer is told to whoever asks next; untold it would end the whole program.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return {
    dialect: "postgres",
    query: (sql, parameters) => told(async () => ask(pool, sql, parameters)),
    transaction: (work) => told(() => inTransaction(pool, work)),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

async function inTransaction<T>(pool: Pool, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    const result = await work((sql, parameters) => ask(client, sql, parameters));
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((failure: unknown) => {
      broken ??= failure instanceof Error ? failure : new Error(String(failure));
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

async function ask(
  connection: Pool | PoolClient,
  sql: string,
  parameters: readonly Parameter[] = [],
): ReturnType<Query> {
  const values = parameters.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));
  const result = await connection.query<Record<string, unknown>>(sql, values);
  return result.rows;
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RunStoreError) throw error;
    throw new RunStoreError(`PostgreSQL: ${messageOf(error)}`, error);
  }
}

/** Node hides what each address said. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
