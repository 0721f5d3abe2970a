import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { fails, loadContracts, openSandbox } from "../../testing/src/door.ts";
import type { Contracts } from "../../testing/src/door.ts";
import { repositoryRoot, runProgram } from "../support/program.ts";
import { median } from "./accounting.ts";
import { heading } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- kit [options]

The order saga without any service: a hundred tests with the test kit, half of whose orders are undone, and \`sidestep sweep\` as a command from cold.

  --rounds <n>  (5)
  --tests <n>   in each (100)
  --help`;

const folder = path.join(repositoryRoot, "examples/order/proto");
const fulfil = "shop.v1.OrderWorkflow/Fulfil";
const ship = "shipping.v1.ShippingService/Ship";
const order = {
  orderId: "o-1",
  customerId: "c-1",
  items: [{ sku: "cup", quantity: 2 }],
  total: { currency: "EUR", units: 20n },
};
const fakes = {
  "inventory.v1.InventoryService/Reserve": { reservationId: "r-1" },
  "inventory.v1.InventoryService/Release": {},
  "payment.v1.PaymentService/Charge": { chargeId: "ch-1" },
  "payment.v1.PaymentService/Refund": {},
  "shipping.v1.ShippingService/Label": { labelId: "l-1" },
  [ship]: { tracking: "t-1" },
};

/** Measures tests and sweeps of the order saga and prints it. */
export async function measureKit(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      tests: { type: "string", default: "100" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const head = await heading("plain");
  const tests = Number(values.tests);
  const begun = performance.now();
  const contracts = await loadContracts(folder);
  const compiledMs = performance.now() - begun;
  const testsMs: number[] = [];
  const sweepMs: number[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    testsMs.push(await timed(() => runTests(contracts, tests)));
    sweepMs.push(await timed(sweep));
  }
  console.log(head.split("\n")[0]);
  console.log(
    textTable([
      ["the order saga", "median", "least to most"],
      ["contracts compiled, ms", String(Math.round(compiledMs)), ""],
      row(`${tests} tests, ms`, testsMs),
      row("sweep, the command from cold, ms", sweepMs),
    ]),
  );
}

async function runTests(contracts: Contracts, tests: number): Promise<void> {
  for (let index = 0; index < tests; index++) {
    const isRefused = index % 2 === 1;
    const refused = { [ship]: fails("FAILED_PRECONDITION", "not there") };
    const sandbox = openSandbox(contracts, { fakes: isRefused ? { ...fakes, ...refused } : fakes });
    const { state } = await sandbox.start(fulfil, order).ended();
    if (state !== (isRefused ? "COMPENSATED" : "COMPLETED")) throw new Error(`an order ended ${state}`);
  }
}

async function sweep(): Promise<void> {
  const args = [path.join(repositoryRoot, "bin/sidestep.js"), "sweep", fulfil, folder];
  const swept = await runProgram({ name: "sweep", command: process.execPath, args });
  if (swept.code !== 0) throw new Error(`sweep failed:\n${swept.lines.join("\n")}`);
}

async function timed(act: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

function row(name: string, millis: readonly number[]): readonly string[] {
  const round = (ms: number): string => String(Math.round(ms));
  return [name, round(median(millis)), `${round(Math.min(...millis))} to ${round(Math.max(...millis))}`];
}
