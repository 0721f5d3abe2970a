import { loadContracts, openSandbox, unreachable } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const workflow = "stock.v1.StockWorkflow/Report";
const request = { report_id: "berlin-1", site: "berlin" };

test("a report says how much is there", async () => {
  const box = openSandbox(contracts, { fakes: { "stock.v1.StockService/Count": { pieces: 7 } } });
  const run = await box.start(workflow, request).ended();
  expect(run.response).toEqual({ text: "berlin has 7 pieces" });
});

test("a stock that can't be reached fails the report, and nobody has to look after it", async () => {
  const box = openSandbox(contracts, { fakes: { "stock.v1.StockService/Count": unreachable() } });
  const run = await box.start(workflow, request).ended();
  expect(run.state).toBe("FAILED");
});
