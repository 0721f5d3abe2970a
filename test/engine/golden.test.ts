import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { repositoryRoot } from "../support/program.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { resume } from "../../orchestrator/src/engine/snapshot/resume.ts";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { Run, run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run_State } from "../../proto/gen/sidestep/v1/run.ts";

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
  const { state, records } = resume(plan, golden.runId, golden.records.map(toRecord));
  const turns = records.map((record) => advance(plan, state, record).commands);

  // What people could do with it grows with what there is to do.
  const run = Run.toJSON({ ...describeRun(plan, state), actions: [] });
  const shown = JSON.stringify({ run, turns }, show, 2);

  await expect(`${shown}\n`).toMatchFileSnapshot(folder + name.replace(".log.json", ".folded.json"));
});

/** Those of locks' logs, which have no plan, and of a run that goes on by another one: engine/migration.test.ts has both. */
const elsewhere = ["lockRequested", "lockReleased", "migrated"];

test("the golden logs together have every kind of event and of end", () => {
  const kinds = new Set<string | undefined>(elsewhere);
  const ends = new Set<Run_State>();
  for (const name of goldens) {
    const golden = JSON.parse(readFileSync(folder + name, "utf8")) as Golden;
    for (const { fact } of golden.records.map(toRecord)) {
      if (fact.kind !== "event") continue;
      kinds.add(fact.event.kind?.$case);
      if (fact.event.kind?.$case === "runEnded") ends.add(fact.event.kind.value.state);
    }
  }
  const contract = readFileSync(path.join(repositoryRoot, "proto/sidestep/internal/v1/event.proto"), "utf8");
  const declared = /oneof kind \{([\s\S]*?)\n  \}/.exec(contract)?.[1]?.match(/(?<=^ +\w+ )\w+/gm) ?? [];
  const told = [...kinds].map((kind) => kind?.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  expect(new Set(told)).toEqual(new Set(declared));
  const all = ["CANCELLED", "COMPENSATED", "COMPENSATION_FAILED", "COMPLETED", "FAILED", "TERMINATED"];
  expect(new Set([...ends].map((state) => run_StateToJSON(state)))).toEqual(new Set(all));
});
