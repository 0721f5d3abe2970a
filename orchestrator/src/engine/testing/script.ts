import type { CodeName } from "../../../../proto/wire/status.ts";
import { parseMs } from "./expression.ts";
import type { ActionSketch, BlockSketch, CallSketch, PlanSketch, StepSketch } from "./plan.ts";

/**
 * The plan of a transcript:
 *
 *     plan timeout=1h saga=PARALLEL output=charge
 *     step charge call pay.Pay/Charge request=input attempts=3 backoff=100ms undo=pay.Pay/Refund undo.request=charge
 *     step both parallel
 *       branch result=a
 *         step a call x.X/A
 *       branch
 *         step - wait for=10s
 *     step choose switch
 *       case has(steps.charge)
 *         step - fail NOT_FOUND message='no'
 *       default
 *         step - return 'early'
 *
 * A step named "-" has no id. Expressions have no spaces, except inside quotes.
 */
export function parsePlan(lines: readonly string[]): PlanSketch {
  const rows = lines
    .filter((line) => line.trim() !== "" && !line.trim().startsWith("#"))
    .map((line) => ({ depth: line.length - line.trimStart().length, words: toWords(line.trim()) }));
  const [head, ...rest] = rows;
  const isPlan = head?.words[0] === "plan";
  const options = toOptions(isPlan ? head.words.slice(1) : []);
  const steps = parseSteps({ rows: isPlan ? rest : rows, at: 0 }, 0);
  return {
    steps,
    output: options.get("output"),
    outputStep: options.get("outputStep"),
    timeoutMs: msOf(options, "timeout"),
    saga: options.get("saga") as PlanSketch["saga"],
    key: options.get("key"),
  };
}

interface Row {
  readonly depth: number;
  readonly words: readonly string[];
}

interface Cursor {
  readonly rows: readonly Row[];
  at: number;
}

function parseSteps(cursor: Cursor, depth: number): readonly StepSketch[] {
  const steps: StepSketch[] = [];
  for (let row = cursor.rows[cursor.at]; row !== undefined && row.depth >= depth; row = cursor.rows[cursor.at]) {
    cursor.at += 1;
    steps.push(parseStep(cursor, row));
  }
  return steps;
}

function parseStep(cursor: Cursor, { depth, words }: Row): StepSketch {
  const [keyword, id, kind, ...rest] = words;
  if (keyword !== "step" || id === undefined) throw new Error(`not a step: '${words.join(" ")}'`);
  const options = toOptions(rest);
  const undone = subOptions(options, "undo");
  return {
    id: id === "-" ? undefined : id,
    when: options.get("when"),
    undo:
      options.get("undo") === undefined
        ? undefined
        : { ...toCallSketch(options.get("undo") ?? "", undone), when: undone.get("when") },
    action: toAction(cursor, depth, kind ?? "", rest, options),
  };
}

function toAction(
  cursor: Cursor,
  depth: number,
  kind: string,
  rest: readonly string[],
  options: ReadonlyMap<string, string>,
): ActionSketch {
  const first = rest[0] ?? "";
  switch (kind) {
    case "call":
      return { kind, ...toCallSketch(first, options) };
    case "wait":
      return options.has("until")
        ? { kind: "until", until: options.get("until") ?? "" }
        : { kind, forMs: parseMs(options.get("for") ?? "") };
    case "let":
      return { kind, value: first };
    case "return":
      return { kind, value: first };
    case "fail":
      return { kind, code: first as CodeName, message: options.get("message"), detail: options.get("detail") };
    case "parallel":
      return { kind, branches: parseBlocks(cursor, depth, "branch").map(({ block }) => block) };
    case "switch": {
      const blocks = parseBlocks(cursor, depth, "case", "default");
      return {
        kind,
        cases: blocks.filter(({ word }) => word === "case").map(({ when, block }) => ({ when, block })),
        otherwise: blocks.find(({ word }) => word === "default")?.block,
      };
    }
    default:
      throw new Error(`not a kind of step: '${kind}'`);
  }
}

function parseBlocks(
  cursor: Cursor,
  depth: number,
  ...words: readonly string[]
): readonly { readonly word: string; readonly when: string; readonly block: BlockSketch }[] {
  const blocks: { word: string; when: string; block: BlockSketch }[] = [];
  for (let row = cursor.rows[cursor.at]; row !== undefined && row.depth > depth; row = cursor.rows[cursor.at]) {
    const [word = "", ...rest] = row.words;
    if (!words.includes(word)) throw new Error(`'${word}' can't stand here`);
    cursor.at += 1;
    const result = toOptions(rest).get("result");
    blocks.push({ word, when: rest[0] ?? "", block: { steps: parseSteps(cursor, row.depth + 1), result } });
  }
  return blocks;
}

function toCallSketch(method: string, options: ReadonlyMap<string, string>): CallSketch {
  const attempts = options.get("attempts");
  return {
    method,
    request: options.get("request"),
    headers: Object.fromEntries(subOptions(options, "header")),
    timeoutMs: msOf(options, "timeout"),
    stepTimeoutMs: msOf(options, "stepTimeout"),
    noticeMs: msOf(options, "notice"),
    attempts: attempts === undefined ? undefined : Number(attempts),
    backoffMs: msOf(options, "backoff"),
    backoffMaxMs: msOf(options, "backoffMax"),
    on: options.get("on")?.split(",") as readonly CodeName[] | undefined,
    doubt: options.get("doubt") as CallSketch["doubt"],
    exhausted: options.get("exhausted") as CallSketch["exhausted"],
    isIdempotent: options.get("idempotent") === "true",
  };
}

function msOf(options: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = options.get(name);
  return text === undefined ? undefined : parseMs(text);
}

function subOptions(options: ReadonlyMap<string, string>, name: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of options) if (key.startsWith(`${name}.`)) found.set(key.slice(name.length + 1), value);
  return found;
}

/** "a=b" words by name. */
export function toOptions(words: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const word of words) {
    const match = /^([A-Za-z_.-]+)=(?!=)(.*)$/s.exec(word);
    if (match !== null) options.set(match[1] ?? "", match[2] ?? "");
  }
  return options;
}

/** Words of a line; quoted text holds together. */
export function toWords(line: string): readonly string[] {
  return line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
}
