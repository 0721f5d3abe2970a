import { openMeasures as openOrchestratorMeasures } from "../../orchestrator/src/measures.ts";
import { openWebhookMeasures } from "../../orchestrator/src/webhook.ts";
import { openScheduleMeasures } from "../../orchestrator/src/schedules.ts";
import { openTriggerMeasures, watchTriggers } from "../../orchestrator/src/triggers.ts";
import { openRunMeasures } from "../../orchestrator/src/runMeasures.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import type { Transition } from "../../orchestrator/src/engine/transition.ts";
import { zeroCounts } from "../../orchestrator/src/processor/ownership.ts";
import type { TurnObserver } from "../../orchestrator/src/processor/ports.ts";
import { AttemptId, RunEnded, RunStarted } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Schedule, Schedule_Kind as Kind } from "../../proto/gen/sidestep/internal/v1/schedule.ts";
import { TriggerRecord } from "../../proto/gen/sidestep/internal/v1/trigger.ts";
import { AskReply_Verdict, Task } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { Incident_Reason, Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { fromHex } from "../../proto/wire/runId.ts";
import { openAdminServer } from "../../runtime/src/adminServer.ts";
import { silentLog } from "../../runtime/src/log.ts";
import { openMetrics } from "../../runtime/src/metrics.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import { openMeasures as openSidecarMeasures } from "../../sidecar/src/measures.ts";

/** The trace of the run that is measured. */
export const tracedRun = "0192f7a1b2c30abc1122334455667788";
const method = "shop.v1.Stock/Reserve";

/** What an orchestrator and a sidecar tell a scraper once everything that they measure has happened. */
export async function scrapeBoth(accept = "text/plain"): Promise<{
  readonly orchestrator: string;
  readonly sidecar: string;
}> {
  return { orchestrator: await scraped(measureOrchestrator, accept), sidecar: await scraped(measureSidecar, accept) };
}

/** The metrics in a scrape. */
export function familiesIn(text: string): readonly { readonly name: string; readonly type: string }[] {
  return [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => ({ name, type }));
}

async function scraped(measure: (instruments: Instruments) => void, accept: string): Promise<string> {
  await using metrics = openMetrics({ "service.name": "test" }, "1.0.0");
  measure(metrics);
  await using admin = await openAdminServer({ port: 0, readyz: () => ({ ok: true }), metrics: metrics.scrape });
  return (await fetch(`http://127.0.0.1:${admin.port}/metrics`, { headers: { accept } })).text();
}

function measureTriggers(instruments: Instruments): void {
  const record = TriggerRecord.fromPartial({ id: "shop.v1.Orders/Place/placed", workflow: "shop.v1.Orders/Place" });
  openTriggerMeasures(instruments).took(record, "started", 12);
  const triggers = [{ record, lag: { waiting: 1, inHands: 1 }, parked: 1 }];
  watchTriggers(instruments, { list: () => Promise.resolve({ kind: "list", triggers }) }, () => true);
}

function measureOrchestrator(instruments: Instruments): void {
  openOrchestratorMeasures(instruments.meter, {
    processor: { counts: zeroCounts(), owned: () => [0], backlog: () => 3 },
    nats: { isConnected: () => true, reconnects: () => 0 },
    rows: {
      progress: () => [{ partition: 0, position: 1, head: 1, lagMs: 0, isCatchingUp: false, isForeign: false }],
    },
    readTaskQueues: () => Promise.resolve([{ service: "shop.v1.Stock", waiting: 2, inHands: 1 }]),
    tellsQueues: () => true,
  });
  openWebhookMeasures(instruments).count("taken", 1);
  const schedules = openScheduleMeasures(instruments);
  const schedule = Schedule.fromPartial({ workflow: "shop.v1.Orders/Place" });
  schedules.started(schedule, 12);
  schedules.passed(schedule, Kind.MISSED, 3);
  measureTriggers(instruments);
  const observer = openRunMeasures(instruments);
  const trace = { traceId: fromHex(tracedRun), sampled: true };
  const state = {
    ...newRun(tracedRun),
    started: RunStarted.fromPartial({ workflow: "shop.v1.Orders/Place", trace }),
  };
  const address = { step: "reserve", generation: 0, phase: 0 } as const;
  const attempt = { ...address, attempt: 2 };
  const status = RpcStatus.fromPartial({ code: 14 });
  const reason = Incident_Reason.EXHAUSTED;
  const transitions: readonly Transition[] = [
    { kind: "runStarted", atMs: 0 },
    { kind: "attemptBegan", attempt, method, atMs: 0 },
    { kind: "attemptOverdue", attempt, method, atMs: 5 },
    {
      kind: "attemptEnded",
      attempt,
      method,
      issuedMs: 0,
      startedMs: 5,
      endedMs: 70,
      result: "failed",
      status,
      peer: "",
      sidecar: undefined,
      delivery: 1,
      sent: true,
      counted: true,
    },
    { kind: "incidentOpened", address, reason, status, attempts: 2, atMs: 70 },
    { kind: "compensationBegan", steps: 0, atMs: 80 },
    { kind: "runEnded", ended: RunEnded.fromPartial({ state: Run_State.FAILED }), startedMs: 0, endedMs: 90 },
  ];
  const run = { state } as Parameters<TurnObserver["turn"]>[0];
  observer.turn(run, {} as never, { commands: [], ignored: false, refusal: "", transitions });
}

function measureSidecar(instruments: Instruments): void {
  const measures = openSidecarMeasures(instruments, silentLog);
  measures.watch({
    running: () => 1,
    concurrency: 8,
    isDraining: () => false,
    isConnected: () => true,
    reconnects: () => 0,
    serving: () => [{ service: "shop.v1.Stock", isServing: true }],
    broken: () => [method],
  });
  const traceparent = Buffer.from(`00-${tracedRun}-00f067aa0ba902b7-01`);
  const task = {
    message: { ...Task.fromPartial({ method }), headers: [{ key: "traceparent", value: traceparent, secret: "" }] },
    attempt: AttemptId.fromPartial({ step: "reserve", attempt: 1 }),
    runId: tracedRun,
    key: "",
    service: "shop.v1.Stock",
    methodName: "Reserve",
  };
  measures.taken(task, 12);
  measures.ended(task, "OK", 30);
  measures.asked("running", AskReply_Verdict.CLOSED);
  measures.garbage();
  measures.retried();
  measures.passed("out", method, 0, 3);
  measures.broken(method, true);
}
