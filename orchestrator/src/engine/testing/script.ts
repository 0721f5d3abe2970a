import type { CodeName } from "../../../../proto/wire/status.ts";
import { parseMs } from "./expression.ts";
import type {
  ActionSketch,
  BlockSketch,
  CallSketch,
  CatchSketch,
  PlanSketch,
  StepSketch,
  VerifySketch,
} from "./sketch.ts";

/**
 * The plan of a transcript:
 *
 *     plan timeout=1h saga=PARALLEL output=charge
 *     step charge call pay.Pay/Charge request=input attempts=3 backoff=100ms undo=pay.Pay/Refund undo.request=charge
 *     step watch call ship.Ship/Watch stream=100
 *     step both parallel
 *       branch result=a
 *         step a call x.X/A
 *       branch
 *         step - wait for=10s
 *     step each for_each in=['a','b'] as=line atOnce=1 collect=label
 *       step label call x.X/Label request=line
 *     step poll loop max=3 until=done=='yes' pause=5s
 *       carry cursor init='' next=page
 *       step page call x.X/Page request=cursor
 *     step guard try
 *       body
 *         step risky call x.X/Risky
 *       catch NOT_FOUND,ABORTED reason=GONE when=error.step=='risky'
 *         step - fail
 *       finally
 *         step - compensate_now
 *     step ship call x.X/Ship
 *       undo when=true
 *         step recall call x.X/Recall
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
    streaming: options.has("streaming") ? options.get("streaming") === "yes" : undefined,
    timeoutMs: msOf(options, "timeout"),
    saga: options.get("saga") as PlanSketch["saga"],
    key: options.get("key"),
    signals: options.get("signals")?.split(","),
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
  const undoBlock = parseBlocksWhere(cursor, depth, "undo")[0];
  return {
    id: id === "-" ? undefined : id,
    when: kind === "signal" ? undefined : options.get("when"),
    lock: options.get("lock"),
    undo:
      options.get("undo") === undefined
        ? undefined
        : { ...toCallSketch(options.get("undo") ?? "", undone), when: undone.get("when") },
    undoBlock: undoBlock === undefined ? undefined : { ...undoBlock.block, when: undoBlock.options.get("when") },
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
    case "yield":
      return { kind, value: first };
    case "signal":
    case "approve": {
      const blocks = parseBlocks(cursor, depth, "timeout", "reject");
      const due = {
        timeoutMs: msOf(options, "timeout"),
        deadline: options.get("deadline"),
        onTimeout: blocks.find(({ word }) => word === "timeout")?.block,
      };
      if (kind === "signal") return { kind, name: first, when: options.get("when"), ...due };
      return {
        kind,
        title: options.get("title"),
        approvers: options.get("approvers"),
        type: options.get("type"),
        onReject: blocks.find(({ word }) => word === "reject")?.block,
        ...due,
      };
    }
    case "run":
      return {
        kind,
        workflow: first,
        request: options.get("request"),
        key: options.get("key"),
        detach: options.get("detach") === "true",
      };
    case "emit":
      return { kind, subject: first, message: options.get("message") };
    case "fail":
      return {
        kind,
        code: first === "" ? undefined : (first as CodeName),
        message: options.get("message"),
        detail: options.get("detail"),
      };
    case "parallel":
      return {
        kind,
        branches: parseBlocks(cursor, depth, "branch").map(({ block }) => block),
        need: numberOf(options, "need"),
      };
    case "for_each":
      return {
        kind: "forEach",
        in: options.get("in") ?? "",
        as: options.get("as"),
        atOnce: numberOf(options, "atOnce"),
        body: parseBody(cursor, depth, options),
      };
    case "loop":
      return {
        kind,
        while: options.get("while"),
        until: options.get("until"),
        max: numberOf(options, "max") ?? 0,
        pauseMs: msOf(options, "pause"),
        carries: parseCarries(cursor, depth),
        body: parseBody(cursor, depth, options),
      };
    case "try": {
      const [body, ...blocks] = parseBlocks(cursor, depth, "body", "catch", "finally");
      if (body === undefined) throw new Error("a try has a body");
      return {
        kind,
        body: body.block,
        catches: blocks.filter(({ word }) => word === "catch").map(toCatch),
        finally: blocks.find(({ word }) => word === "finally")?.block,
      };
    }
    case "compensate_now":
      return { kind: "compensateNow" };
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

/** A block in a transcript: its word, what comes after it, and the steps below. */
interface BlockRow {
  readonly word: string;
  readonly when: string;
  readonly options: ReadonlyMap<string, string>;
  readonly block: BlockSketch;
}

function parseBlocks(cursor: Cursor, depth: number, ...words: readonly string[]): readonly BlockRow[] {
  const blocks = parseBlocksWhere(cursor, depth, ...words);
  const row = cursor.rows[cursor.at];
  if (row !== undefined && row.depth > depth) throw new Error(`'${row.words.join(" ")}' can't stand here`);
  return blocks;
}

/** As far as they go. */
function parseBlocksWhere(cursor: Cursor, depth: number, ...words: readonly string[]): readonly BlockRow[] {
  const blocks: BlockRow[] = [];
  for (let row = cursor.rows[cursor.at]; row !== undefined && row.depth > depth; row = cursor.rows[cursor.at]) {
    const [word = "", ...rest] = row.words;
    if (!words.includes(word)) break;
    cursor.at += 1;
    const options = toOptions(rest);
    const block = { steps: parseSteps(cursor, row.depth + 1), result: options.get("result") };
    blocks.push({ word, when: rest[0] ?? "", options, block });
  }
  return blocks;
}

/** The steps below a for_each or a loop; `collect` stands on its own line. */
function parseBody(cursor: Cursor, depth: number, options: ReadonlyMap<string, string>): BlockSketch {
  return { steps: parseSteps(cursor, depth + 1), result: options.get("collect") };
}

/** "carry NAME init=… next=…", before a loop's steps. */
function parseCarries(
  cursor: Cursor,
  depth: number,
): readonly { readonly name: string; readonly init: string; readonly next: string }[] | undefined {
  const carries: { name: string; init: string; next: string }[] = [];
  for (let row = cursor.rows[cursor.at]; row !== undefined && row.depth > depth; row = cursor.rows[cursor.at]) {
    const [word, name = "", ...rest] = row.words;
    if (word !== "carry") break;
    cursor.at += 1;
    const options = toOptions(rest);
    carries.push({ name, init: options.get("init") ?? "", next: options.get("next") ?? "" });
  }
  return carries.length === 0 ? undefined : carries;
}

function toCatch({ when, options, block }: BlockRow): CatchSketch {
  return {
    codes: /^[A-Z_,]+$/.test(when) ? (when.split(",") as CodeName[]) : undefined,
    reason: options.get("reason"),
    domain: options.get("domain"),
    detailType: options.get("detail"),
    when: options.get("when"),
    block,
  };
}

function numberOf(options: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = options.get(name);
  return text === undefined ? undefined : Number(text);
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
    verify: toVerifySketch(options),
    passesInput: options.get("passesInput") === "true",
    isIdempotent: options.get("idempotent") === "true",
    streamMax: numberOf(options, "stream"),
  };
}

function toVerifySketch(options: ReadonlyMap<string, string>): VerifySketch | undefined {
  const method = options.get("verify");
  if (method === undefined) return undefined;
  const asked = subOptions(options, "verify");
  return { method, request: asked.get("request"), done: asked.get("done") ?? "true", result: asked.get("result") };
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
