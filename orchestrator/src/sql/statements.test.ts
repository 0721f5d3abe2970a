import { expect, test } from "vitest";
import { openSqlite } from "./sqlite.ts";
import { prepareSchema } from "./schema.ts";
import { toStatements } from "./statements.ts";

const rows = ["a", "ü", "c"].map((id, at) => ({
  id,
  part: 1,
  seq: 2 ** 40 + at,
  epoch: 1,
  workflow: "shop.v1.Orders/Place",
  version: 3,
  run_key: at === 0 ? null : `key "${at}"`,
  state: 2,
  held: 0,
  started: 1.7e12,
  ended: at === 0 ? 1.7e12 + 5 : null,
  trace_id: "",
  attributes: { country: "DE", 'with "quote"': "\n" },
  numbers: at === 0 ? {} : { total: 12.5 },
  incidents: 0,
}));

test.each(["3.50.4", process.versions["sqlite"] ?? ""])(
  "rows are written as they were given, by SQLite %s",
  async (version) => {
    await using database = openSqlite("");
    await prepareSchema(database.query);
    const statements = toStatements("sqlite", version);
    await database.query(statements.upsertRuns, [JSON.stringify(rows)]);
    const stored = await database.query("SELECT * FROM runs ORDER BY seq");
    expect(stored.map(({ attributes, numbers, ...row }) => [row, attributes, numbers])).toMatchObject(
      rows.map(({ attributes, numbers, ...row }) => [row, JSON.stringify(attributes), JSON.stringify(numbers)]),
    );
    const standing = await database.query(statements.standing, [JSON.stringify([{ id: "ü" }, { id: "none" }])]);
    expect(standing).toMatchObject([{ id: "ü", seq: 2 ** 40 + 1 }]);
  },
);

test("only a SQLite that has the binary form of rows is asked for it", () => {
  expect(toStatements("sqlite", "3.51.0").standing).toContain("jsonb_each($1)");
  expect(toStatements("sqlite", "4.0.0").standing).toContain("jsonb_each($1)");
  for (const version of ["3.50.9", "3.9.2", ""]) {
    expect(toStatements("sqlite", version).standing).toContain(" json_each($1)");
  }
});
