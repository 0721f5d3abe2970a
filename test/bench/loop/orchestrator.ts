// An orchestrator whose only plan is one call that is tried again and again. Arguments: URL of NATS, tries, and "begin" to start the run.
import { makeCall, makePlan, openOrchestrator } from "../../support/orchestrators.ts";

const [url = "", tries = "1", order = ""] = process.argv.slice(2);
const attemptsMax = Number(tries) + 1;
const retry = { attemptsMax, backoffMs: 1, backoffMaxMs: 1, multiplier: 1, on: [14] };
const plan = makePlan([makeCall("again", { retry })]);
const orchestrator = await openOrchestrator(url, plan);
console.log(`READY ${order === "begin" ? await orchestrator.begin(plan) : ""}`);
