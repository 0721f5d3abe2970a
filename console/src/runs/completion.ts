/** What a filter can speak of, as far as it is known here. */
export interface Vocabulary {
  readonly workflows: readonly string[];
  readonly attributes: readonly string[];
}

/** One way to go on: what is put in place of the text from `from` to the cursor. */
export interface Completion {
  readonly from: number;
  readonly text: string;
  readonly tells: string;
}

const fields: Readonly<Record<string, string>> = {
  state: "RUNNING, PAUSED, COMPLETED …",
  workflow: "full name of the rpc",
  version: "number",
  key: "text",
  id: "text",
  started: "time",
  ended: "time",
  deadline: "time",
  held: "true while it is paused",
  code: "of the failure or the first incident",
  step: "that failed, or of the first incident",
  message: "of the failure",
  incidents: "how many are open",
  approvals: "how many decisions it waits for",
  parent: "id of the run that started it",
};
const states = [
  "RUNNING",
  "PAUSED",
  "COMPENSATING",
  "COMPLETED",
  "FAILED",
  "COMPENSATED",
  "COMPENSATION_FAILED",
  "CANCELLED",
  "TERMINATED",
  "CORRUPT",
];
const codes = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
const ages = ["15m", "1h", "1d", "7d"];

const most = 12;

/** How the filter left of the cursor can go on. */
export function completions(
  text: string,
  cursor: number,
  { workflows, attributes }: Vocabulary,
): readonly Completion[] {
  const before = text.slice(0, cursor);
  const compared = /\b([\w.]+)\s*(?:==|!=|in\s*\[[^\]]*)\s*("?[\w./]*)$/.exec(before);
  if (compared !== null) {
    const [, field = "", begun = ""] = compared;
    return startingWith(valuesOf(field, workflows), begun, cursor);
  }
  const timed = /\b(?:started|ended|deadline)\s*[<>]=?\s*([\w\s"()-]*)$/.exec(before);
  if (timed !== null) {
    const begun = timed[1] ?? "";
    return startingWith(
      ages.map((age) => ({ text: `now - duration("${age}")`, tells: `${age} ago` })),
      begun,
      cursor,
    );
  }
  const done = /(?:"|\)|\b[A-Z_]{4,}|\b\d+|\btrue|\bfalse)\s+(&?|\|?)$/.exec(before);
  if (done !== null)
    return startingWith(
      [
        { text: "&& ", tells: "and" },
        { text: "|| ", tells: "or" },
      ],
      done[1] ?? "",
      cursor,
    );
  const begun = /[\w.]*$/.exec(before)?.[0] ?? "";
  const names = [
    ...Object.entries(fields).map(([name, tells]) => ({ text: name, tells })),
    ...attributes.map((name) => ({ text: `attributes.${name}`, tells: "attribute" })),
  ];
  const found = startingWith(names, begun, cursor);
  const [only] = found;
  if (found.length === 1 && only?.text === begun) return operators(only.text, cursor);
  if (found.length === 0 && /\b[\w.]+\s+$/.test(before))
    return operators(/([\w.]+)\s+$/.exec(before)?.[1] ?? "", cursor);
  return found;
}

function operators(field: string, cursor: number): readonly Completion[] {
  const isTime = ["started", "ended", "deadline"].includes(field);
  const texts = isTime
    ? [" > ", " < "]
    : ["incidents", "approvals", "version"].includes(field)
      ? [" > 0", " == "]
      : field === "held"
        ? [" && ", " == "]
        : isText(field)
          ? [" == ", " != ", '.startsWith("', '.endsWith("', '.contains("']
          : [" == ", " != "];
  return texts.map((text) => ({ from: cursor, text, tells: "" }));
}

function isText(field: string): boolean {
  return ["workflow", "key", "step", "message"].includes(field) || field.startsWith("attributes.");
}

interface Word {
  readonly text: string;
  readonly tells: string;
}

function valuesOf(field: string, workflows: readonly string[]): readonly Word[] {
  switch (field) {
    case "state":
      return states.map((text) => ({ text, tells: "" }));
    case "code":
      return codes.map((text) => ({ text, tells: "" }));
    case "workflow":
      return workflows.map((name) => ({ text: `"${name}"`, tells: "" }));
    case "held":
      return ["true", "false"].map((text) => ({ text, tells: "" }));
    default:
      return [];
  }
}

function startingWith(words: readonly Word[], begun: string, cursor: number): readonly Completion[] {
  const wanted = begun.toLowerCase();
  return words
    .filter(
      ({ text }) =>
        text.toLowerCase().startsWith(wanted) ||
        (wanted.length > 1 && text.toLowerCase().includes(wanted.replace(/^"/, ""))),
    )
    .slice(0, most)
    .map(({ text, tells }) => ({ from: cursor - begun.length, text, tells }));
}
