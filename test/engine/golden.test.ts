import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { Run } from "../../proto/gen/sidestep/v1/run.ts";

// What is in a log is there for ever. Each file has a plan's bytes and a run's log as a released version wrote them; beside it stands what the run
// adds up to and every command it asks for. When one of these changes, runs in flight change: raise the engine's revision instead.
const folder = fileURLToPath(new URL("testdata/golden/", import.meta.url));
const goldens = readdirSync(folder).filter((name) => name.endsWith(".log.json"));

interface Golden {
  readonly runId: string;
  readonly plan: string;
  readonly records: readonly {
    readonly sequence: number;
    readonly storedMs: number;
    readonly event?: string;
    readonly outcome?: string;
  }[];
}

function toRecord({ sequence, storedMs, event = "", outcome }: Golden["records"][number]): LogRecord {
  const fact: LogRecord["fact"] =
    outcome === undefined
      ? { kind: "event", event: Event.decode(Buffer.from(event, "base64")) }
      : { kind: "outcome", outcome: Outcome.decode(Buffer.from(outcome, "base64")), authentic: true };
  return { sequence, storedMs, fact };
}

/** Bytes as a digest, so that a difference shows without filling the file. */
function show(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array)
    return `${value.length} bytes ${createHash("sha256").update(value).digest("hex").slice(0, 16)}`;
  return typeof value === "bigint" ? String(value) : value;
}

test.each(goldens)("%s folds to what it folded to", async (name) => {
  const golden = JSON.parse(readFileSync(folder + name, "utf8")) as Golden;
  const plan = loadPlan(Buffer.from(golden.plan, "base64"));
  const state = newRun(golden.runId);
  const turns = golden.records.map((it) => advance(plan, state, toRecord(it)).commands);

  const shown = JSON.stringify({ run: Run.toJSON(describeRun(plan, state)), turns }, show, 2);

  await expect(`${shown}\n`).toMatchFileSnapshot(folder + name.replace(".log.json", ".folded.json"));
});

test("there is a golden log of each end that calls bring about", () => {
  const ends = goldens.map((name) => name.replace(".log.json", ""));
  expect(ends).toEqual(expect.arrayContaining(["v1-cancelled", "v1-compensated", "v1-completed"]));
});
