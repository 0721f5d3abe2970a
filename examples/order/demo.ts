// npm run demo: the order saga over three services that know nothing of it, on real processes, with a real trace.
import { parseArgs } from "node:util";
import { getRun, isWhole, stateName, stepLines, traceLines } from "./demo/report.ts";
import { makeStageFolder, openStage, removeStageFolder } from "./demo/stage.ts";
import type { Stage } from "./demo/stage.ts";
import { playExpense } from "./demo/expense.ts";
import { leaveRuns } from "./demo/left.ts";
import { chapters } from "./demo/story.ts";
import type { Chapter } from "./demo/story.ts";
import type { ReceivedSpan } from "../../test/support/otlp/receivedSpan.ts";

const help = `npm run demo -- [--keep] [--jaeger-url <url>]

Starts nats-server, an orchestrator, three services (two in Node, one in Python) and a sidecar beside each; deploys the workflow of
examples/order/proto/shop/v1/order.proto; then runs a good order, a declined one, one that waits for a review, and one during which
sidecar and orchestrator are killed. Prints each run's steps and its trace; then plays examples/approval with the command line. Exit code
0: everything went as it should.

  --keep               Start more runs, for the console to show; leave everything running and print the addresses. Ctrl-C stops it.
  --jaeger-url <url>   Print links to this Jaeger, and show them in the console. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT when that is set, else to a
                       receiver of the demo's own.
  --help               Show this.
`;

let isQuiet = false;

function say(line: string): void {
  if (!isQuiet) process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const interrupted = new Promise<"interrupted">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("interrupted"));
  });
  return perform(await makeStageFolder(), options, interrupted);
}

interface Options {
  readonly keep?: boolean | undefined;
  readonly help?: boolean | undefined;
  readonly "jaeger-url"?: string | undefined;
}

function readOptions(): Options | undefined {
  try {
    const flags = { keep: { type: "boolean" }, help: { type: "boolean" }, "jaeger-url": { type: "string" } } as const;
    return parseArgs({ options: flags }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return undefined;
  }
}

async function perform(folder: string, options: Options, interrupted: Promise<"interrupted">): Promise<number> {
  let wasInterrupted = false;
  void interrupted.then(() => (wasInterrupted = true));
  const wrong: string[] = [];
  try {
    say("Starting");
    const otlpEndpoint = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] || undefined;
    await using stage = await openStage(folder, {
      say: (line) => say(`  ${line}`),
      otlpEndpoint,
      carrierDeskMs: 3_000,
      jaegerUrl: options["jaeger-url"],
      bundles: process.env["SIDESTEP_BUNDLES"] || undefined,
    });
    const told = tell(stage, options);
    // After an interruption nobody waits for the rest of the story; its connections break.
    told.catch(() => undefined);
    const ended = await Promise.race([told, interrupted]);
    if (ended !== "interrupted") {
      wrong.push(...ended);
      if (options.keep === true) await interrupted;
    }
    if (options.keep === true || ended === "interrupted") say("\nStopping");
    isQuiet = ended === "interrupted";
  } catch (error) {
    if (!wasInterrupted) {
      wrong.push(error instanceof Error ? error.message : String(error));
      say(`\nThe demo could not go on: ${wrong.at(-1)}`);
    }
  }
  if (wrong.length > 0) {
    say(`The programs' logs and the services' journals are in ${folder}`);
    return 1;
  }
  await removeStageFolder(folder);
  return wasInterrupted && options.keep !== true ? 130 : 0;
}

/** Plays the orders; returns what was not as it should be. */
async function tell(stage: Stage, options: Options): Promise<readonly string[]> {
  const wrong: string[] = [];
  const unique = Date.now().toString(36);
  for (const chapter of chapters(unique)) wrong.push(...(await play(stage, chapter, options["jaeger-url"])));
  wrong.push(...(await playExpense(stage, `claim-${unique}`, say)));
  if (options.keep === true) await leaveRuns(stage, unique, say);
  showEnd(stage, wrong, options.keep === true);
  return wrong;
}

/** Runs one order, shows it, and returns what differs from what was expected. */
async function play(stage: Stage, chapter: Chapter, jaegerUrl: string | undefined): Promise<readonly string[]> {
  const { title, order } = chapter;
  say(`\n${title}  (order ${order.order_id}, ${order.total.units} ${order.total.currency})`);
  const answer = await chapter.play(stage, order, (line) => say(`  · ${line}`));
  const told =
    answer.kind === "answered"
      ? `tracking ${String(answer.response["tracking"])}`
      : `${answer.code}: ${answer.message}`;
  say(`  the caller got   ${told}`);
  const run = await getRun(stage.address, answer.runId);
  const state = stateName(run.state);
  say(`  run              ${run.runId}  ${state}`);
  say("  steps");
  for (const line of stepLines(run)) say(`    ${line}`);
  const effects = journalled(stage, order.order_id);
  say(`  journals         ${effects.map((it) => it.replace(/ effect$/, "")).join(", ")}`);
  await showTrace(stage, run.traceId);
  if (jaegerUrl !== undefined) say(`  in Jaeger        ${jaegerUrl.replace(/\/$/, "")}/trace/${run.traceId}`);
  return [
    ...(state === chapter.state ? [] : [`${title}: the run is ${state}, expected ${chapter.state}`]),
    ...(effects.toSorted().join() === chapter.effects.toSorted().join()
      ? []
      : [`${title}: the journals say ${effects.join(", ")}; expected ${chapter.effects.join(", ")}`]),
  ];
}

/** What the services' own journals say of an order; an effect stands there once however often it was asked for. */
function journalled(stage: Stage, orderId: string): readonly string[] {
  return stage.services.all.flatMap((service) =>
    service
      .journal()
      .filter((entry) => entry.order === orderId && entry.outcome !== "repeat" && entry.outcome !== "asked")
      .map((entry) => `${service.name} ${entry.method} ${entry.outcome}`),
  );
}

async function showTrace(stage: Stage, traceId: string): Promise<void> {
  if (stage.receiver === undefined) {
    say(`  trace            ${traceId}, at ${process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? ""}`);
    return;
  }
  const hasService = (spans: readonly ReceivedSpan[]): boolean =>
    spans.some((span) => span.traceId === traceId && span.resource["service.name"] === "inventory");
  const spans = await stage.receiver.waitFor((all) => isWhole(all, traceId) && hasService(all));
  say(`  trace            ${traceId}`);
  for (const line of traceLines(spans, traceId)) say(`    ${line}`);
}

function showEnd(stage: Stage, wrong: readonly string[], keep: boolean): void {
  if (wrong.length > 0) {
    say("\nNot everything went as it should:");
    for (const line of wrong) say(`  ${line}`);
  } else say("\nEverything went as it should.");
  if (!keep) {
    say("Where to look further: examples/order (the workflow is proto/shop/v1/order.proto), docs/workflows.md,");
    say("and `npm run demo -- --keep`, which leaves it all running to play with.");
    return;
  }
  say("\nIt is all still running; Ctrl-C stops it and leaves nothing behind.");
  say(`  console          http://${stage.address}/console/`);
  say(`  orchestrator     ${stage.address}`);
  say(`  NATS             ${stage.natsUrl}`);
  for (const service of stage.services.all) say(`  ${service.name.padEnd(16)} ${service.address}`);
  say(`  logs, journals   ${stage.folder}`);
  say("Try:");
  say(`  npx sidestep run exec shop.v1.OrderWorkflow/Fulfil --address ${stage.address} \\`);
  say(
    `    -d '{"order_id": "mine-1", "items": [{"sku": "rug", "quantity": 1}], "total": {"currency": "EUR", "units": 300}, "address": "Home"}'`,
  );
}

process.exitCode = await main();
process.exit();
