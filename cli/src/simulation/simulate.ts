import { writeFile } from "node:fs/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { GetRunResponse, RunHistoryResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { exportLines } from "../../../proto/json/exportedRun.ts";
import { inventMessage } from "../../../proto/json/invent.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { methodIn } from "../../../testing/src/kit/contracts.ts";
import { shownHistory, shownRun } from "../../../testing/src/kit/show.ts";
import { driveNow } from "../../../testing/src/world/drive.ts";
import type { MadeCall } from "../../../testing/src/world/sidecar.ts";
import { openWorld } from "../../../testing/src/world/world.ts";
import type { World } from "../../../testing/src/world/world.ts";
import { endFailure } from "../runEnd.ts";
import { CliFailure, exit } from "../failure.ts";
import type { ExitCode } from "../failure.ts";
import { bytesToText, jsonToBytes } from "../messageJson.ts";
import type { Terminal } from "../terminal.ts";
import { answerCall } from "./answers.ts";
import { readSimulation } from "./ground.ts";
import type { SimulationGround, SimulationOptions } from "./ground.ts";
import { simulatedLines } from "./tree.ts";

/** How `sidestep simulate` is asked to work. */
export interface SimulateOptions extends SimulationOptions {
  /** name=JSON: sent at the start, and kept until a step takes it. */
  readonly signals: readonly string[];
  /** What is decided on every approval; undefined: nobody decides. */
  readonly decision: "approve" | "reject" | undefined;
  readonly output: "table" | "json";
  /** Where the run's log is written, for `sidestep replay`; undefined: nowhere. */
  readonly record: string | undefined;
}

/** When it is in simulations. */
const startMs = Date.UTC(2026, 0, 1);

/** Runs a workflow without services, in virtual time, and prints what became of it. Throws CliFailure when the run fails. */
export async function simulate(options: SimulateOptions, terminal: Terminal): Promise<ExitCode> {
  const ground = await readSimulation(options, terminal);
  if (ground === undefined) return exit.findings;
  const { registry, workflows, seed, plan } = ground;
  const answering = { registry, seed, pick: ground.fixtures() };
  const world = openWorld({ workflows, startMs, answer: (call) => answerCall(answering, call) });
  const runId = world.start({ plan, request: ground.request });
  if (typeof runId !== "string")
    throw new CliFailure(exit.usage, `the start is refused: ${runId.message}`, "-d, --request", "mend the request");
  for (const signal of options.signals) sendSignal(ground, world, runId, signal);
  const isEnded = (): boolean => world.stateOf(runId)?.ended !== undefined;
  driveNow(world, Infinity, () => {
    if (options.decision !== undefined) decideAll(ground, world, runId, options.decision === "approve");
    return isEnded();
  });
  const run = shownRun(world, runId);
  if (run === undefined) throw new CliFailure(exit.error, "the run has not begun", ground.workflow, "report this");
  if (options.record !== undefined) await writeRecord(ground, world, run, options.record);
  if (options.output === "json") terminal.out(`${JSON.stringify(toJsonShown(ground, world, run), undefined, 2)}\n`);
  else print(ground, world, run, terminal);
  if (!isEnded()) throw stands(run);
  const failure = endFailure(run);
  // It is in what was printed: there is no run to be looked at.
  return failure === undefined ? exit.ok : failure.exitCode;
}

function print({ registry, requestJson }: SimulationGround, world: World, run: Run, terminal: Terminal): void {
  const columns = terminal.screen?.().columns ?? 160;
  terminal.out(`request ${JSON.stringify(requestJson)}\n`);
  for (const line of simulatedLines(run, columns, terminal.colors.out)) terminal.out(`${line}\n`);
  if (run.state === Run_State.COMPLETED)
    terminal.out(`answer ${bytesToText(registry, run.responseType, run.response)}\n`);
  else if (run.status !== undefined && run.endedAt !== undefined)
    terminal.out(`status ${codeName(run.status.code)}: ${run.status.message}\n`);
  terminal.err(`${world.calls.length} calls, ${world.runIds.length} ${world.runIds.length === 1 ? "run" : "runs"}\n`);
}

async function writeRecord({ plan }: SimulationGround, world: World, run: Run, file: string): Promise<void> {
  const { runId, workflow, version } = run;
  const records = world.log.records.filter((stored) => stored.runId === runId).map(({ record }) => record);
  const lines = exportLines({ runId, workflow, version, plan: Plan.encode(plan.plan).finish(), records });
  try {
    await writeFile(file, `${lines.join("\n")}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(exit.usage, `the run can't be written: ${reason}`, file, "name another file: --record", error);
  }
}

function sendSignal({ registry, plan }: SimulationGround, world: World, runId: string, given: string): void {
  const at = given.indexOf("=");
  const name = at < 0 ? given : given.slice(0, at);
  const signal = plan.signals.find((one) => one.name === name);
  if (signal === undefined) {
    const names = plan.signals.map((one) => one.name).join(", ");
    const next = names === "" ? "the workflow takes no signals" : `it takes ${names}`;
    throw new CliFailure(exit.usage, `the workflow takes no signal '${name}'`, "--signal", next);
  }
  const payload = jsonToBytes(registry, signal.type, at < 0 ? "{}" : given.slice(at + 1));
  world.write(runId, { $case: "signalReceived", value: { name, payload, id: given, actor: "" } });
}

/** Forms are made up. */
function decideAll({ registry, seed }: SimulationGround, world: World, runId: string, approved: boolean): void {
  const state = world.stateOf(runId);
  if (state === undefined || state.approvals.size === 0) return;
  for (const { step, type, approvers } of shownRun(world, runId)?.approvals ?? []) {
    const form = registry.getMessage(type);
    const value = {
      step,
      approved,
      form: form === undefined ? new Uint8Array() : toBinary(form, inventMessage(form, { seed })),
      by: approvers[0] ?? "somebody",
      comment: "",
      requestId: `${runId}/${step}`,
      actor: "",
    };
    world.write(runId, { $case: "decisionMade", value });
  }
}

function toJsonShown({ registry, seed, requestJson }: SimulationGround, world: World, run: Run): JsonValue {
  const shown = (type: string, bytes: Uint8Array): JsonValue => {
    const known = registry.getMessage(type);
    return known === undefined ? {} : toJson(known, fromBinary(known, bytes), { registry });
  };
  const whole = shown("sidestep.v1.GetRunResponse", GetRunResponse.encode({ run, traceUrl: "" }).finish());
  const events = [...shownHistory(world, run.runId)];
  const history = shown(
    "sidestep.v1.RunHistoryResponse",
    RunHistoryResponse.encode({ events, nextPageToken: "" }).finish(),
  );
  const response = run.state === Run_State.COMPLETED ? { response: shown(run.responseType, run.response) } : {};
  return {
    seed,
    request: requestJson,
    ...response,
    ...objectOf(whole),
    ...objectOf(history),
    calls: callsOf(world, shown, registry),
  };
}

function objectOf(json: JsonValue): { [name: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json) ? json : {};
}

function callsOf(
  world: World,
  shown: (type: string, bytes: Uint8Array) => JsonValue,
  registry: SimulationGround["registry"],
): JsonValue {
  return world.calls.map((call): JsonValue => {
    const { method, step, purpose, attempt, atMs, request, end } = call;
    const types = methodIn(registry, method);
    return {
      method,
      step,
      purpose,
      attempt,
      at: new Date(atMs).toISOString(),
      request: shown(types?.input.typeName ?? "", request),
      ...endJson(end, (bytes) => shown(types?.output.typeName ?? "", bytes)),
    };
  });
}

function endJson(end: MadeCall["end"], shown: (bytes: Uint8Array) => JsonValue): { [name: string]: JsonValue } {
  if (end?.kind === "answered") return { responses: end.messages.map(shown), delayMs: end.delayMs };
  if (end?.kind === "failed") return { code: codeName(end.code), message: end.message, delayMs: end.delayMs };
  return {};
}

function stands(run: Run): CliFailure {
  const waits = [
    ...run.incidents.map(({ step }) => `${step} needs a decision`),
    ...run.approvals.map(({ step }) => `${step} waits to be approved: --approve, or --reject`),
    ...(run.signals.length > 0
      ? [`signals it takes: ${run.signals.map(({ name }) => name).join(", ")}: --signal`]
      : []),
  ];
  const what = "the run stands still: nothing that time brings makes it go on";
  return new CliFailure(
    exit.error,
    what,
    run.workflow,
    waits.length === 0 ? "look at its steps above" : waits.join("; "),
  );
}
