import { expect, test } from "vitest";
import { Event } from "../gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../gen/sidestep/internal/v1/task.ts";
import { exportLines, parseExport } from "./exportedRun.ts";
import type { ExportedRun } from "./exportedRun.ts";

const run: ExportedRun = {
  runId: "0192f7a1b2c30abc1122334455667788",
  workflow: "shop.v1.OrderWorkflow/Fulfil",
  version: 3,
  plan: Uint8Array.of(1, 2, 255),
  records: [
    {
      sequence: 7,
      storedMs: 1_767_225_600_123.5,
      fact: {
        kind: "event",
        event: Event.decode(Event.encode({ kind: { $case: "timerFired", value: { number: 4, dueMs: 1.5 } } }).finish()),
      },
    },
    {
      sequence: 9,
      storedMs: 1_767_225_600_124,
      fact: {
        kind: "outcome",
        authentic: true,
        payload: Uint8Array.of(9),
        outcome: Outcome.decode(
          Outcome.encode({
            attempt: { step: "labels[3]/label", generation: 1, phase: 1, attempt: 2 },
            token: Uint8Array.of(5),
            kind: { $case: "completed", value: Uint8Array.of(0, 128, 255) },
            delivery: 2,
            recheck: true,
            sent: true,
            startedAtMs: 1,
            endedAtMs: 2,
            peer: "p",
            sidecar: undefined,
          }).finish(),
        ),
      },
    },
  ],
};

test("an exported run is read as it was written, to the byte", () => {
  const lines = exportLines(run);
  expect(lines).toHaveLength(3);
  expect(parseExport(`${lines.join("\n")}\n\n`)).toEqual({ kind: "run", run });
  const { plan, ...rest } = run;
  expect(plan).toBeDefined();
  const without: ExportedRun = { ...rest, plan: undefined };
  expect(parseExport(exportLines(without).join("\r\n"))).toEqual({ kind: "run", run: without });
});

test("a line is read by people and by jq, too", () => {
  const [, event, outcome] = exportLines(run).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(event).toMatchObject({ sequence: 7, time: "2026-01-01T00:00:00.123Z", kind: "timerFired" });
  expect(outcome).toMatchObject({
    sequence: 9,
    kind: "completed",
    step: "labels[3]/label",
    authentic: true,
    payload: "CQ==",
  });
});

test("what is no exported run is refused with its line", () => {
  const [head = "", first = "", second = ""] = exportLines(run);
  const refused = (...lines: readonly string[]) => {
    const parsed = parseExport(lines.join("\n"));
    return parsed.kind === "wrong" ? `${parsed.line}: ${parsed.message}` : "read";
  };
  expect(refused("")).toMatch(/^1: expected an exported run/);
  expect(refused(first)).toMatch(/^1: expected an exported run/);
  expect(refused(head.replace('"form":1', '"form":2'))).toMatch(/^1: the form 2 is of another version/);
  expect(refused(head, "no json")).toMatch(/^2: it is no JSON object/);
  expect(refused(head, second, first)).toMatch(/^3: its sequence 7 is not behind/);
  expect(refused(head, '{"sequence":1}')).toMatch(/^2: expected sequence and storedMs/);
  expect(refused(head, '{"sequence":1,"storedMs":2}')).toMatch(/^2: expected an event, or an outcome/);
  expect(refused(head, '{"sequence":1,"storedMs":2,"event":"//8="}')).toMatch(/^2: its (bytes|event)/);
});
