import type { RunRow } from "../projection/runRow.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";

/** A row of a running run; `number` makes its id, its start and its position. */
export function makeRow(number: number, changes: Partial<RunRow> = {}): RunRow {
  const startedMs = Date.parse("2026-01-01T00:00:00Z") + number * 1000;
  return {
    id: startedMs.toString(16).padStart(12, "0") + number.toString(16).padStart(20, "0"),
    partition: 0,
    sequence: number,
    workflow: "shop.v1.Orders/Fulfil",
    version: 1,
    key: `o-${number}`,
    state: Run_State.RUNNING,
    held: false,
    startedMs,
    endedMs: undefined,
    deadlineMs: undefined,
    traceId: "",
    error: undefined,
    parentId: "",
    parentStep: "",
    attributes: {},
    numbers: {},
    incidents: [],
    approvals: 0,
    keptMs: 0,
    deleted: false,
    ...changes,
  };
}
