import type { RunFilter, RunPlace } from "../compile/filter/runFilter.ts";
import type { Parameter } from "./database.ts";

const columns = {
  id: "runs.id",
  workflow: "runs.workflow",
  version: "runs.version",
  key: "runs.run_key",
  state: "runs.state",
  held: "runs.held",
  started: "runs.started",
  ended: "runs.ended",
  deadline: "runs.deadline",
  code: "runs.code",
  step: "runs.step",
  message: "runs.message",
  parent: "runs.parent",
  incidents: "runs.incidents",
  approvals: "runs.approvals",
} as const;

/**
 * A filter as a condition of SQL over the table `runs`; values go into `parameters`, never into the text. What has no value equals nothing and is
 * neither more nor less than anything, so its negation holds.
 */
export function toCondition(filter: RunFilter, parameters: Parameter[]): string {
  switch (filter.kind) {
    case "constant":
      return filter.value ? "TRUE" : "FALSE";
    case "all":
      return joined(filter.of, " AND ", "TRUE", parameters);
    case "any":
      return joined(filter.of, " OR ", "FALSE", parameters);
    case "not":
      // A comparison with nothing is neither true nor false in SQL.
      return `NOT COALESCE(${toCondition(filter.of, parameters)}, FALSE)`;
    case "present":
      return `${asText(filter.place)} IS NOT NULL`;
    case "compare":
      return comparison(filter, parameters);
    case "text":
      return textTest(filter, parameters);
  }
}

function joined(filters: readonly RunFilter[], by: string, none: string, parameters: Parameter[]): string {
  return filters.length === 0 ? none : `(${filters.map((one) => toCondition(one, parameters)).join(by)})`;
}

function comparison(
  { place, operator, value }: Extract<RunFilter, { readonly kind: "compare" }>,
  parameters: Parameter[],
): string {
  const bind = (given: Parameter): string => `$${parameters.push(given)}`;
  if (place.kind === "field") {
    const given = value.kind === "bool" ? Number(value.value) : value.value;
    // Columns hold whole numbers, most of 32 bits; what is beyond is compared as what it is.
    if (typeof given === "number" && !fitsColumn(place.name, given))
      return `CAST(${columns[place.name]} AS double precision) ${operator} CAST(${bind(given)} AS double precision)`;
    return `${columns[place.name]} ${operator} ${bind(given)}`;
  }
  if (value.kind === "number")
    return `CAST(runs.numbers->>'${place.name}' AS double precision) ${operator} CAST(${bind(value.value)} AS double precision)`;
  return `${asText(place)} ${operator} ${bind(JSON.stringify(value.value))}`;
}

function fitsColumn(name: keyof typeof columns, value: number): boolean {
  if (!Number.isInteger(value)) return false;
  return name === "started" || name === "ended" || name === "deadline" || Math.abs(value) < 2 ** 31;
}

/** The functions that both databases have, and that tell large letters from small ones. */
function textTest(
  { place, how, value }: Extract<RunFilter, { readonly kind: "text" }>,
  parameters: Parameter[],
): string {
  const bind = (given: Parameter): string => `$${parameters.push(given)}`;
  const column = asText(place);
  // Texts among the attributes are JSON, in quotes.
  const inner = place.kind === "attribute" ? JSON.stringify(value).slice(1, -1) : value;
  const quote = place.kind === "attribute" ? '"' : "";
  const length = (given: string): number => Array.from(given).length;
  switch (how) {
    case "startsWith": {
      const start = quote + inner;
      return `substr(${column}, 1, ${length(start)}) = ${bind(start)}`;
    }
    case "endsWith": {
      const end = inner + quote;
      return `(length(${column}) >= ${length(end)} AND substr(${column}, length(${column}) - ${length(end) - 1}) = ${bind(end)})`;
    }
    case "contains":
      return inner === "" ? `${column} IS NOT NULL` : `replace(${column}, ${bind(inner)}, '') <> ${column}`;
  }
}

function asText(place: RunPlace): string {
  return place.kind === "field" ? columns[place.name] : `runs.attributes->>'${place.name}'`;
}
