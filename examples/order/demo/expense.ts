import path from "node:path";
import { repositoryRoot, runProgram } from "../../../test/support/program.ts";
import type { Stage } from "./stage.ts";

/**
 * The approval example, played with the command line alone: no service stands behind it. Prints each command and what it answers; returns
 * what was not as it should be.
 */
export async function playExpense(
  stage: Stage,
  claimId: string,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const sidestep = async (...args: readonly string[]): Promise<string> => {
    say(`  $ sidestep ${args.map((it) => (/[ "]/.test(it) ? `'${it}'` : it)).join(" ")}`);
    const { code, stdout, lines } = await runProgram({
      name: `sidestep ${args[0] ?? ""}`,
      command: process.execPath,
      args: [path.join(repositoryRoot, "bin/sidestep.js"), ...args],
      env: { SIDESTEP_ADDRESS: stage.address },
    });
    if (code !== 0) throw new Error(`sidestep ${args.join(" ")} failed:\n${lines.join("\n")}`);
    for (const line of stdout.split("\n").filter((it) => it !== "")) say(`    ${line}`);
    return stdout;
  };
  say(`\nAn expense that somebody has to approve  (examples/approval, claim ${claimId})`);
  const claim = { claim_id: claimId, employee: "ada", department: "engines", purpose: "punched cards", cents: 90_000 };
  const workflow = "expense.v1.ExpenseWorkflow/Claim";
  await sidestep("deploy", "examples/approval/proto");
  const started = await sidestep("run", "start", workflow, "-d", JSON.stringify(claim));
  const runId = /[0-9a-f]{32}/.exec(started)?.[0] ?? "";
  await sidestep("approval", "list", runId);
  const form = { granted_cents: 80_000, note: "no gilt edges" };
  await sidestep("approval", "decide", runId, "--approve", "--by", "finance", "-d", JSON.stringify(form));
  const answer = await sidestep("run", "exec", workflow, "-d", JSON.stringify(claim));
  return answer.includes("80000") && answer.includes("finance") ? [] : [`the claim was answered ${answer.trim()}`];
}
