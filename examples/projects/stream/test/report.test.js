import { loadContracts, openSandbox } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const render = "report.v1.RenderService/Render";

test("callers hear of each chapter, and of the end", async () => {
  const box = openSandbox(contracts, { fakes: { [render]: ({ chapter }) => ({ pages: chapter.length }) } });
  const run = await box
    .start("report.v1.ReportWorkflow/Write", { report_id: "r-1", chapters: ["one", "three"] })
    .ended();
  expect(run.yielded.map(({ text }) => text)).toEqual(["rendered one", "rendered three", "rendered 2 chapters"]);
  expect(run.yielded.at(-1)).toMatchObject({ done: true });
});
