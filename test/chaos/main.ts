// npm run chaos [-- --kills 15 --in-flight 24 --orchestrators 1 --seed 1]: kill -9 of everything, again and again, while orders go through.
import { parseArgs } from "node:util";
import { startOrderStack } from "../support/orderStack.ts";
import { runStorm } from "./storm.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "15" },
    "in-flight": { type: "string", default: "24" },
    orchestrators: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
  },
});
console.log(`seed ${values.seed}`);
await using stack = await startOrderStack({
  orchestrators: Number(values.orchestrators),
  serviceEnv: { shipping: { SHIP_DELAY_MS: "150" } },
});
const report = await runStorm(stack, {
  killsOfEach: Number(values.kills),
  inFlight: Number(values["in-flight"]),
  seed: Number(values.seed),
  progress: (line) => console.log(line),
});
console.log(JSON.stringify({ ...report, breaches: report.breaches.length }));
for (const breach of report.breaches) console.log(`BREACH ${breach}`);
process.exitCode = report.breaches.length === 0 ? 0 : 1;
