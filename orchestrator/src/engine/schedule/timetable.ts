import type { Cron } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Timetable } from "./calendar.ts";
import { parseCronLine } from "./cronLine.ts";

/** When nominal times are, of a plan or a record. Throws for one that was not checked. */
export function toTimetable({ line, everyMs, phaseMs, timeZone }: Cron): Timetable {
  if (line === "") return { kind: "interval", everyMs, phaseMs };
  const parsed = parseCronLine(line);
  if (parsed.kind === "wrong") throw new Error(`a stored cron line is wrong: ${parsed.message}`);
  return { kind: "line", line: parsed.line, zone: timeZone };
}
