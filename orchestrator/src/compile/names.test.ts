import { describe, expect, it } from "vitest";
import { Status_Code } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { buildContract, compileMade, errorsOf, output, pause, reserve } from "./testing.ts";
import type { MadeWorkflow } from "./testing.ts";

const contract = buildContract();

/** Messages of the diagnostics, with their paths. */
function wrongs(workflow: MadeWorkflow["workflow"]): readonly string[] {
  const { diagnostics } = compileMade(contract, [{ workflow }]);
  return errorsOf(diagnostics).map((one) => `${one.path.split(" ")[1] ?? ""}: ${one.message}`);
}

describe("a step's result", () => {
  const fallible = { ...reserve, when: "input.express" };
  const guarded = '{reservation_id: has(steps.reserve) ? reserve.reservation_id : ""}';

  it("can be read under has() where the step may not have run", () => {
    expect(wrongs({ step: [fallible], output: guarded })).toEqual([]);
    expect(wrongs({ step: [fallible], output })).toEqual([
      "output: step 'reserve' may not have run here: it has a `when`",
    ]);
  });

  it("can be read in its own arm, and after the switch where no other arm gets there", () => {
    const fail = { kind: { $case: "fail", value: { code: Status_Code.ABORTED } } } as const;
    const note = { id: "note", kind: { $case: "let", value: { value: "reserve.reservation_id" } } } as const;
    const only = { case: [{ when: "!input.express", step: [fail] }], default: { step: [reserve, note] } };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: only } }], output: "{note: note}" })).toEqual([]);
    const several = { case: [{ when: "!input.express", step: [pause] }], default: { step: [reserve, note] } };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: several } }], output: "{note: note}" })).toEqual([
      "output: step 'note' may not have run here: it stands in a case of a switch",
    ]);
    const open = { case: [{ when: "input.express", step: [reserve] }] };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: open } }], output })).toEqual([
      "output: step 'reserve' may not have run here: it stands in a case of a switch",
    ]);
  });

  it("can be asked for behind the switch or parallel step around it", () => {
    const choice = { case: [{ when: "input.express", step: [reserve] }] };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: choice } }], output: guarded })).toEqual([]);
    const both = { branch: [{ step: [reserve] }, { step: [pause] }] };
    expect(wrongs({ step: [{ kind: { $case: "parallel", value: both } }], output: guarded })).toEqual([]);
  });

  it("can be read after the parallel step around it", () => {
    const both = { branch: [{ step: [reserve] }, { step: [pause] }] };
    expect(wrongs({ step: [{ kind: { $case: "parallel", value: both } }], output })).toEqual([]);
    expect(wrongs({ step: [{ when: "input.express", kind: { $case: "parallel", value: both } }], output })).toEqual([
      "output: step 'reserve' may not have run here: the step around it has a `when`",
    ]);
  });
});
