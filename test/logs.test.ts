import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { newRun } from "../orchestrator/src/engine/state.ts";
import type { Transition } from "../orchestrator/src/engine/transition.ts";
import { aboutRun } from "../orchestrator/src/processor/aboutRun.ts";
import type { TurnObserver } from "../orchestrator/src/processor/ports.ts";
import { toRunLog } from "../orchestrator/src/runLog.ts";
import { AttemptId, RunEnded, RunStarted } from "../proto/gen/sidestep/internal/v1/event.ts";
import { RpcStatus } from "../proto/gen/sidestep/internal/v1/rpc.ts";
import { Task } from "../proto/gen/sidestep/internal/v1/task.ts";
import { Incident_Reason, Run_State } from "../proto/gen/sidestep/v1/run.ts";
import { fromHex } from "../proto/wire/runId.ts";
import type { RunId } from "../proto/wire/runId.ts";
import { logger } from "../runtime/src/log.ts";
import { openMetrics } from "../runtime/src/metrics.ts";
import { openMeasures } from "../sidecar/src/measures.ts";
import { repositoryRoot } from "./support/program.ts";

const runId = "0192f7a1b2c30abc1122334455667788" as RunId;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const workflow = "shop.v1.Orders/Place";
const method = "shop.v1.Stock/Reserve";

function makeLog() {
  const lines: string[] = [];
  const log = logger("test", {
    level: "debug",
    format: "json",
    write: (line) => void lines.push(line),
    now: () => new Date(0),
  });
  return { log, lines: () => lines.map((line): unknown => JSON.parse(line)) };
}

test("an incident and a failed run are lines of JSON with run, step, attempt and trace, and without what a service said", () => {
  const { log, lines } = makeLog();
  const started = RunStarted.fromPartial({ workflow, trace: { traceId: fromHex(traceId as RunId), sampled: true } });
  const state = { ...newRun(runId), started };
  const status = RpcStatus.fromPartial({ code: 14, message: "card 4711 is refused" });
  const transitions: readonly Transition[] = [
    {
      kind: "incidentOpened",
      address: { step: "charge", generation: 0, phase: 0 },
      reason: Incident_Reason.EXHAUSTED,
      status,
      attempts: 3,
      atMs: 1,
    },
    {
      kind: "runEnded",
      ended: RunEnded.fromPartial({ state: Run_State.COMPENSATED, status, step: "charge" }),
      startedMs: 0,
      endedMs: 2,
    },
  ];
  const run = { runId, state } as Parameters<TurnObserver["turn"]>[0];
  toRunLog(log).turn(run, { sequence: 7 } as never, { commands: [], ignored: false, refusal: "", transitions });
  const about = { time: "1970-01-01T00:00:00.000Z", name: "test", runId, workflow, traceId, step: "charge" };
  expect(lines()).toEqual([
    {
      ...about,
      level: "warn",
      msg: "a step waits for a person",
      attempt: 3,
      code: "UNAVAILABLE",
      reason: "EXHAUSTED",
    },
    { ...about, level: "info", msg: "a run failed", code: "UNAVAILABLE", state: "COMPENSATED" },
  ]);
});

test("what a sidecar says of a task has its run, step, attempt, method and trace", async () => {
  const { log, lines } = makeLog();
  await using metrics = openMetrics({}, "1");
  const measures = openMeasures(metrics, log);
  const traceparent = Buffer.from(`00-${traceId}-00f067aa0ba902b7-01`);
  const task = {
    message: { ...Task.fromPartial({ method }), headers: [{ key: "traceparent", value: traceparent, secret: "" }] },
    attempt: AttemptId.fromPartial({ step: "reserve", attempt: 2 }),
    runId,
    key: "",
    service: "shop.v1.Stock",
    methodName: "Reserve",
  };
  measures.ended(task, "OK", 30);
  measures.unreported(task, "too large");
  const about = { runId, step: "reserve", attempt: 2, method, traceId };
  expect(lines()).toMatchObject([
    { level: "debug", ...about, outcome: "OK", durationMs: 30 },
    { level: "error", ...about, reason: "too large" },
  ]);
});

test("a run whose start is not known is told by its id alone", () => {
  expect(aboutRun({ runId })).toEqual({ runId });
});

test("a run has one name in all lines of the log: runId", () => {
  const files = globSync("{orchestrator,sidecar,runtime}/src/**/*.ts", { cwd: repositoryRoot }).filter(
    (file) => !file.endsWith(".test.ts"),
  );
  expect(files.length).toBeGreaterThan(200);
  const calls = files.flatMap((file) =>
    Array.from(
      readFileSync(path.join(repositoryRoot, file), "utf8").matchAll(
        /log(?:ger)?\.(?:debug|info|warn|error)\([^;]*?\);/gs,
      ),
      ([call]) => `${file}: ${call}`,
    ),
  );
  expect(calls.length).toBeGreaterThan(50);
  expect(calls.filter((call) => /\b(?:run|id): (?:\w+\.)*runId\b|\brun,/.test(call))).toEqual([]);
});
