import { BulkAction_Kind as Kind } from "../../../../proto/gen/sidestep/v1/runs.ts";
import type { RunFilter } from "./runFilter.ts";

/** The runs that an action on many may fit at all, as far as rows tell. */
export function fittingRuns(action: Kind): RunFilter {
  switch (action) {
    case Kind.CANCEL:
    case Kind.TERMINATE:
    case Kind.SIGNAL:
    case Kind.MIGRATE:
      return goesOn;
    case Kind.PAUSE:
      return { kind: "all", of: [goesOn, { kind: "not", of: isHeld }] };
    case Kind.RESUME:
      return isHeld;
    case Kind.DELETE:
    case Kind.RERUN:
      return hasEnded;
    case Kind.RETRY:
    case Kind.FAIL:
    case Kind.SKIP:
    case Kind.COMPENSATE:
    case Kind.PATCH:
      return some("incidents");
    case Kind.APPROVE:
    case Kind.REJECT:
      return some("approvals");
    case Kind.KIND_UNSPECIFIED:
    case Kind.UNRECOGNIZED:
      return { kind: "constant", value: false };
  }
}

const hasEnded: RunFilter = { kind: "present", place: { kind: "field", name: "ended" } };
const goesOn: RunFilter = { kind: "not", of: hasEnded };
const isHeld: RunFilter = {
  kind: "compare",
  place: { kind: "field", name: "held" },
  operator: "=",
  value: { kind: "bool", value: true },
};

function some(name: "incidents" | "approvals"): RunFilter {
  const place = { kind: "field", name } as const;
  return { kind: "compare", place, operator: ">", value: { kind: "number", value: 0 } };
}
