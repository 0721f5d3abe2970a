import type { Cron as PlannedCron } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Cron_Overlap } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Overlap_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Cron } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { showDuration } from "../engine/duration.ts";
import { isTimeZone } from "../engine/expression/zone.ts";
import { parseCronLine } from "../engine/schedule/cronLine.ts";
import type { DefinitionMistake } from "./codes.ts";
import { parseDuration } from "./duration.ts";

/** What is wrong with a field of a Cron. */
export interface CronFlaw {
  readonly mistake: DefinitionMistake;
  /** Its name in the schema; empty: the whole. */
  readonly field: string;
  readonly message: string;
  readonly hint: string;
  /** UTF-16 offset into the field's text. */
  readonly offset: number | undefined;
}

/** Nominal times as the schema spells them, checked; or all that is wrong with them. */
export type ParsedCron =
  | { readonly kind: "ok"; readonly cron: PlannedCron }
  | { readonly kind: "wrong"; readonly flaws: readonly CronFlaw[] };

const everyMinMs = 1000;
const catchUpMinMs = 10_000;
const catchUpDefaultMs = 3_600_000;
const durationMaxMs = 365 * 86_400_000;

/** Reads and checks nominal times and what holds for their starts. */
export function parseCron(cron: Cron): ParsedCron {
  const flaws: CronFlaw[] = [];
  const add = (mistake: DefinitionMistake, field: string, message: string, hint: string, offset?: number): void => {
    flaws.push({ mistake, field, message, hint, offset });
  };
  const durationOf = (field: string, text: string, minMs: number, otherwiseMs: number): number => {
    if (text === "") return otherwiseMs;
    const parsed = parseDuration(text, durationMaxMs);
    if (parsed.kind === "wrong") add("DURATION", field, parsed.message, parsed.hint);
    else if (parsed.ms < minMs) add("DURATION", field, `'${text}' is too short`, `at least ${showDuration(minMs)}`);
    return parsed.kind === "ok" ? parsed.ms : otherwiseMs;
  };
  if (cron.every === "") checkLine(cron, add);
  else checkInterval(cron, add);
  const everyMs = durationOf("every", cron.every, everyMinMs, 0);
  const phaseMs = durationOf("phase", cron.phase, 1, 0);
  const jitterMs = durationOf("jitter", cron.jitter, 1, 0);
  const catchUpMs = durationOf("catch_up", cron.catchUp, catchUpMinMs, catchUpDefaultMs);
  if (everyMs > 0 && phaseMs >= everyMs) {
    const message = `phase (${cron.phase}) is not shorter than every (${cron.every})`;
    add("DURATION", "phase", message, "leave whole intervals out of it");
  }
  const overlap = overlaps.get(cron.overlap);
  if (overlap === undefined) {
    const message = `${cron.overlap} is not an overlap policy known to this version of Sidestep`;
    add("SCHEMA", "overlap", message, "use SKIP, BUFFER_ONE, ALLOW or CANCEL_OTHER");
  }
  if (flaws.length > 0 || overlap === undefined) return { kind: "wrong", flaws };
  const timeZone = cron.every === "" && cron.timeZone === "" ? "UTC" : cron.timeZone;
  return { kind: "ok", cron: { line: cron.line, everyMs, phaseMs, timeZone, overlap, catchUpMs, jitterMs } };
}

const overlaps: ReadonlyMap<Overlap_Policy, Cron_Overlap> = new Map([
  [Overlap_Policy.POLICY_UNSPECIFIED, Cron_Overlap.SKIP],
  [Overlap_Policy.SKIP, Cron_Overlap.SKIP],
  [Overlap_Policy.BUFFER_ONE, Cron_Overlap.BUFFER_ONE],
  [Overlap_Policy.ALLOW, Cron_Overlap.ALLOW],
  [Overlap_Policy.CANCEL_OTHER, Cron_Overlap.CANCEL_OTHER],
]);

type Add = (mistake: DefinitionMistake, field: string, message: string, hint: string, offset?: number) => void;

function checkLine({ line, timeZone, phase }: Cron, add: Add): void {
  if (line === "") {
    add("MISSING", "", "nothing says when", 'add `line: "30 2 * * *"`, or `every: "15m"`');
  } else {
    const parsed = parseCronLine(line);
    if (parsed.kind === "wrong") add("CRON", "line", parsed.message, parsed.hint, parsed.offset);
  }
  if (phase !== "") add("CRON", "phase", "`phase` is for intervals", "leave it out: the line says when");
  if (timeZone !== "" && !isTimeZone(timeZone)) {
    const hint = 'a name of the IANA list, spelt as there: "Europe/Berlin", "America/New_York", "UTC"';
    add("CRON", "time_zone", `'${timeZone.slice(0, 64)}' is no time zone`, hint);
  }
}

function checkInterval({ line, timeZone }: Cron, add: Add): void {
  if (line !== "") add("CRON", "every", "both `line` and `every` say when", "leave one out");
  if (timeZone !== "") add("CRON", "time_zone", "an interval knows no time zone", "leave it out, or write a `line`");
}
