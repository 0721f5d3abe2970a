import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { Layouts } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { RunSnapshot } from "../../proto/gen/sidestep/internal/v1/snapshot.ts";
import { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { exportLines, parseExport } from "../../proto/json/exportedRun.ts";
import { partitionOf } from "../../proto/wire/layout.ts";
import { parseRunId } from "../../proto/wire/runId.ts";
import { loadPlan } from "./engine/loadPlan.ts";
import type { LoadedPlan } from "./engine/plan.ts";
import type { LogRecord } from "./engine/record.ts";
import { startIn } from "./engine/snapshot/resume.ts";
import type { RunFiles } from "./grpc/runFiles.ts";
import type { ShowTrace } from "./grpc/runs.ts";
import { archiveForeign } from "./processor/archive.ts";
import type { Front } from "./processor/front.ts";
import type { RunStore } from "./processor/runStore.ts";

export interface RunFilesGround {
  readonly front: Pick<Front, "records" | "get">;
  readonly layouts: Layouts;
  /** Undefined: there is no index. */
  readonly store: RunStore | undefined;
  readonly showTrace: ShowTrace;
}

/** Runs out of the log as text, and text into the archive. */
export function toRunFiles({ front, layouts, store, showTrace }: RunFilesGround): RunFiles {
  return {
    exportRun: async (runId) => {
      const found = await front.records(runId);
      if (found.kind !== "records") return found;
      const { plan, records } = found;
      const { workflow = plan.plan.workflow, version = 0 } = startIn(records) ?? {};
      const shown = records.map(withoutSecrets);
      const planBytes = Plan.encode(plan.plan).finish();
      return { kind: "lines", lines: exportLines({ runId, workflow, version, plan: planBytes, records: shown }) };
    },
    importRun: async (text) => {
      if (store === undefined) return { kind: "indexOff" };
      const parsed = parseExport(text);
      if (parsed.kind === "wrong") return { kind: "wrong", message: `line ${parsed.line}: ${parsed.message}` };
      const { records, plan: bytes } = parsed.run;
      const runId = parseRunId(parsed.run.runId);
      if (runId === undefined) return { kind: "wrong", message: "line 1: its runId is none" };
      const plan = bytes === undefined ? undefined : readPlan(bytes);
      if (plan === undefined) return { kind: "wrong", message: "line 1: it has no plan that can be read" };
      const there = await front.get(runId);
      if (there.kind === "unavailable") return there;
      if (there.kind === "run" || (await store.archived(runId)) !== undefined) return { kind: "exists", runId };
      const partition = partitionOf(layouts, runId) ?? 0;
      const archived = await archiveForeign({ store, showTrace }, partition, runId, { plan, records });
      return archived === "archived" ? { kind: "imported", runId } : { kind: "live", runId };
    },
  };
}

function readPlan(bytes: Uint8Array): LoadedPlan | undefined {
  try {
    return loadPlan(bytes);
  } catch {
    return undefined;
  }
}

/** Without tokens, which let outcomes be forged, and without the keys of payloads that are kept apart. */
function withoutSecrets(record: LogRecord): LogRecord {
  const { fact } = record;
  if (fact.kind === "outcome") {
    const outcome = Outcome.decode(Outcome.encode({ ...fact.outcome, token: new Uint8Array() }).finish());
    forgetKeys(outcome);
    return { ...record, fact: { ...fact, outcome } };
  }
  const event = Event.decode(Event.encode(fact.event).finish());
  forgetKeys(event);
  if (event.kind?.$case === "snapshot") {
    const state = RunSnapshot.decode(event.kind.value.state);
    forgetKeys(state);
    Object.assign(event.kind.value, { state: RunSnapshot.encode(state).finish() });
  }
  return { ...record, fact: { kind: "event", event } };
}

/** Empties the key of every reference to a payload in it. */
function forgetKeys(part: unknown): void {
  if (typeof part !== "object" || part === null || part instanceof Uint8Array) return;
  if ("chunks" in part && "key" in part && part.key instanceof Uint8Array) part.key = new Uint8Array();
  for (const value of part instanceof Map ? part.values() : Object.values(part)) forgetKeys(value);
}
