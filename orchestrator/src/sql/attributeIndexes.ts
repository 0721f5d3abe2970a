import type { Query } from "./database.ts";
import type { RunRecord } from "./record.ts";

/** Attributes beyond these are found by looking at every run. */
const indexedMax = 16;
/** Names of indexes have at most 63 characters in PostgreSQL. */
const nameLengthMax = 40;

/**
 * Makes runs findable by the attributes that the records have, as soon as one has them. `known` are those that have been looked at. Names are
 * small letters, digits and '_', as the contract demands; others are passed over.
 */
export async function ensureAttributeColumns(
  query: Query,
  records: readonly RunRecord[],
  known: Set<string>,
): Promise<void> {
  for (const { attributes, numbers } of records) {
    if (typeof attributes !== "object" || attributes === null) continue;
    for (const name of Object.keys(attributes)) {
      if (known.has(name) || known.size >= indexedMax) continue;
      known.add(name);
      if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > nameLengthMax) continue;
      await query(
        `CREATE INDEX IF NOT EXISTS runs_by_${name} ON runs ((attributes->>'${name}'), started, id) WHERE attributes->>'${name}' IS NOT NULL`,
      );
      if (typeof numbers !== "object" || numbers === null || !Object.hasOwn(numbers, name)) continue;
      await query(
        `CREATE INDEX IF NOT EXISTS runs_by_${name}_number ON runs ((CAST(numbers->>'${name}' AS double precision)), started, id) WHERE CAST(numbers->>'${name}' AS double precision) IS NOT NULL`,
      );
    }
  }
}
