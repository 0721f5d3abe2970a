import { simulate } from "./simulate.ts";

// node test/sim/main.ts [first seed] [count]: prints a line for each seed that breaks a rule, and how to run it again; of a single seed that does, also what happened.
const [first = 1, count = 3_000] = process.argv.slice(2).map(Number);
const ends: Record<number, number> = {};
let records = 0;
let broken = 0;
const startedMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const simulated = simulate(seed);
  records += simulated.records;
  for (const end of simulated.ends) ends[end] = (ends[end] ?? 0) + 1;
  if (simulated.violations.length === 0) continue;
  broken += 1;
  if (count === 1) console.log(simulated.story().join("\n"));
  console.log(
    `seed ${seed}: ${[...new Set(simulated.violations)].slice(0, 3).join(" | ")}\n  node test/sim/main.ts ${seed} 1`,
  );
}
const seconds = (performance.now() - startedMs) / 1_000;
console.log(JSON.stringify({ seeds: count, broken, records, ends, seconds: Number(seconds.toFixed(1)) }));
process.exitCode = broken === 0 ? 0 : 1;
