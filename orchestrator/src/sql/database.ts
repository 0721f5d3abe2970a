/** A value of a statement: numbers are whole or not, never beyond 2^53. */
export type Parameter = string | number | Uint8Array | undefined;

/** A row as it came: texts, numbers, bytes; null where there is nothing. */
export type Row = Readonly<Record<string, unknown>>;

/** Runs one statement. Parameters are $1, $2 … */
export type Query = (sql: string, parameters?: readonly Parameter[]) => Promise<readonly Row[]>;

/** The two databases differ in one thing only that we use: how a JSON array becomes rows (statements.ts). */
export type Dialect = "sqlite" | "postgres";

/** A connection to a database, or several. Rejects with RunStoreError. */
export interface Database extends AsyncDisposable {
  readonly dialect: Dialect;
  readonly query: Query;
  /** All that `work` does, or nothing. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
}
