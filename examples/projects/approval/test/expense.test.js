import { loadContracts, openSandbox } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const workflow = "expense.v1.ExpenseWorkflow/Claim";
const claim = { claim_id: "c-1", employee: "ada", purpose: "punched cards", cents: 90_000 };
const open = () => openSandbox(contracts, { fakes: { "mail.v1.MailService/Send": {} } });

test("a small claim is granted at once", async () => {
  const run = await open()
    .start(workflow, { ...claim, cents: 1_000 })
    .ended();
  expect(run.response).toMatchObject({ note: "granted without a look" });
});

test("a large one waits for finance, and the answer is mailed", async () => {
  const box = open();
  const run = await box.start(workflow, claim).reaches("verdict");
  run.decide({ approved: true, by: "finance", form: { granted_cents: 80_000, note: "no gilt edges" } });
  await run.ended();
  expect(run.response).toMatchObject({ note: "no gilt edges" });
  expect(box.calls("mail.v1.MailService/Send")).toHaveLength(1);
});

test("after two days without a verdict nothing is granted", async () => {
  const run = await open().start(workflow, claim).ended();
  expect(run.response).toMatchObject({ note: "nobody decided within two days" });
});

test("a refusal says by whom", async () => {
  const run = await open().start(workflow, claim).reaches("verdict");
  run.decide({ approved: false, by: "finance", comment: "too many" });
  await run.ended();
  expect(run.status).toMatchObject({ code: "PERMISSION_DENIED", message: "refused by finance: too many" });
});
