import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import path from "node:path";
import { repositoryRoot, runProgram } from "../../../test/support/program.ts";
import { getRun, stateName } from "./report.ts";
import type { Stage } from "./stage.ts";

/** A run that is started by JSON and left to itself. */
interface LeftRun {
  readonly rpc: string;
  readonly request: Readonly<Record<string, unknown>>;
}

/** One that the end of the demo points at. */
interface Sight extends LeftRun {
  /** What there is to see. */
  readonly shows: string;
  /** What its page opens with. */
  readonly at: string;
}

/** A call is left after this time; its run goes on. Incidents of ours stand by then. */
const answerWithinMs = 1_500;

/** Starts what the console is to show: runs that wait for a person, for a signal and for time, and some that end. Prints where each is. */
export async function leaveRuns(stage: Stage, unique: string, say: (line: string) => void): Promise<void> {
  await deployTour(stage);
  const sights = sightsOf(unique);
  const ids = await Promise.all([...sights, ...crowdOf(unique)].map((run) => start(stage, run)));
  say("\nRuns to look at in the console");
  for (const [index, { shows, at }] of sights.entries()) {
    const runId = ids[index] ?? "";
    const { state } = await getRun(stage.address, runId);
    say(`  ${shows.padEnd(42)} ${stateName(state).padEnd(9)} http://${stage.address}/console/runs/${runId}${at}`);
  }
}

/** The workflows of examples/tour, which call the services of the orders. */
async function deployTour(stage: Stage): Promise<void> {
  const folder = path.join(stage.folder, "tour");
  for (const from of ["examples/order/proto", "examples/tour/proto"])
    await cp(path.join(repositoryRoot, from), folder, { recursive: true });
  const { code, lines } = await runProgram({
    name: "sidestep deploy",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", folder, "--address", stage.address],
  });
  if (code !== 0) throw new Error(`sidestep deploy of examples/tour failed:\n${lines.join("\n")}`);
}

/** Starts a run; gives its id when it has ended, or when it has gone on for a while. */
async function start(stage: Stage, { rpc, request }: LeftRun): Promise<string> {
  const response = await fetch(`http://${stage.address}/${rpc}`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-timeout-ms": String(answerWithinMs) },
    body: JSON.stringify(request),
  });
  const told = await response.text();
  const runId = response.headers.get("sidestep-run-id");
  assert(runId !== null, `${rpc} did not start: ${told}`);
  return runId;
}

const customers = ["ada", "grace", "hedy", "katherine"];
const stops = ["harbour", "tower", "market", "garden", "station"].map((place) => ({ place, minutes: 20 }));

function sightsOf(unique: string): readonly Sight[] {
  return [
    {
      shows: "an incident: no carrier goes there",
      rpc: "tour.v1.TourWorkflow/Parcel",
      request: { parcelId: `parcel-${unique}`, address: "Moon base 3" },
      at: "?step=ship",
    },
    {
      shows: "an approval that waits for a decision",
      rpc: "expense.v1.ExpenseWorkflow/Claim",
      request: {
        claimId: `desk-${unique}`,
        employee: "grace",
        department: "engines",
        purpose: "a desk",
        cents: 120_000,
      },
      at: "",
    },
    {
      shows: "a visit that waits for a signal",
      rpc: "tour.v1.TourWorkflow/Visit",
      request: { name: `alan-${unique}`, mood: "MOOD_GLOOMY", stops, waits: true },
      at: "",
    },
    {
      shows: "a guard who goes round and round",
      rpc: "tour.v1.TourWorkflow/Guard",
      request: { name: `guard-${unique}`, rounds: 500 },
      at: "?view=timeline",
    },
    {
      shows: "an invoice that waits for its review",
      rpc: "shop.v1.OrderWorkflow/Fulfil",
      request: order(`invoice-${unique}`, 0, 4_200, { payByInvoice: true }),
      at: "",
    },
    {
      shows: "an order that was undone",
      rpc: "shop.v1.OrderWorkflow/Fulfil",
      request: order(`moon-${unique}`, 1, 320, { address: "Moon base 3" }),
      at: "",
    },
  ];
}

/** What fills the lists: orders of some customers, visits, and one more parcel of the same incident. */
function crowdOf(unique: string): readonly LeftRun[] {
  return [
    ...Array.from({ length: 10 }, (_, at) => ({
      rpc: "shop.v1.OrderWorkflow/Fulfil",
      request: order(`order-${unique}-${at}`, at, at % 4 === 3 ? 4_200 : 220 + at * 10),
    })),
    ...["hedy", "katherine"].map((name) => ({
      rpc: "tour.v1.TourWorkflow/Visit",
      request: { name: `${name}-${unique}`, mood: "MOOD_BRIGHT", stops: stops.slice(0, 3) },
    })),
    {
      rpc: "tour.v1.TourWorkflow/Parcel",
      request: { parcelId: `parcel-${unique}-2`, address: "Dark side of the Moon" },
    },
  ];
}

function order(orderId: string, customer: number, units: number, more: object = {}): Readonly<Record<string, unknown>> {
  return {
    orderId,
    customerId: customers[customer % customers.length],
    items: [
      { sku: "mug", quantity: 2 },
      { sku: "lamp", quantity: 1 },
    ],
    total: { currency: "EUR", units },
    address: "12 Harbour Street",
    ...more,
  };
}
