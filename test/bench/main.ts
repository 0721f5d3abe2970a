// npm run bench: the product beside the floor, on this machine, in one run. See docs/performance.md.
import os from "node:os";
import { measureCompared } from "./compared.ts";

/** Loads only what is asked for. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  step: (args) => measureCompared(args, "step"),
  load: (args) => measureCompared(args, "load"),
  wait: async (args) => (await import("./wait.ts")).measureWait(args),
  timers: async (args) => (await import("./timers.ts")).measureTimers(args),
  events: async (args) => (await import("./events.ts")).measureEvents(args),
  schedules: async (args) => (await import("./schedules.ts")).measureSchedules(args),
  overload: async (args) => (await import("./overload.ts")).measureOverload(args),
  balance: async (args) => (await import("./balance.ts")).measureBalance(args),
  mesh: async (args) => (await import("./mesh.ts")).measureMesh(args),
  neighbours: async (args) => (await import("./neighbours.ts")).measureNeighbours(args),
  index: async (args) => (await import("./listing.ts")).measureListing(args),
  console: async (args) => (await import("./console.ts")).measureConsole(args),
  flat: async (args) => (await import("./flat.ts")).measureFlat(args),
  start: async (args) => (await import("./start.ts")).measureStart(args),
  dev: async (args) => (await import("./dev.ts")).measureDev(args),
  sidecar: async (args) => (await import("./sidecar.ts")).measureSidecar(args),
  soak: async (args) => (await import("./soak.ts")).measureSoak(args),
  kit: async (args) => (await import("./kit.ts")).measureKit(args),
  storm: async (args) => (await import("./storm.ts")).measureStorm(args),
  check: () => import("./check.ts"),
  engine: async (args) => (await import("./engine.ts")).measureEngine(args),
  loop: async (args) => (await import("./long/loop.ts")).measureLoop(args),
  each: async (args) => (await import("./long/each.ts")).measureEach(args),
  cancel: async (args) => (await import("./long/cancel.ts")).measureCancel(args),
  purge: async (args) => (await import("./purge.ts")).measurePurge(args),
  deletion: async (args) => (await import("./deletion.ts")).measureDeletion(args),
  sim: async (args) => (await import("./sim.ts")).measureSimulation(args),
};

// A nats-server that may run on both cores of a small machine wakes a thread for each message, and the one it wakes takes a core from whoever has the work.
if (os.availableParallelism() <= 2) process.env["GOMAXPROCS"] ??= "1";

// What was started ends with this process, however it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const [first = "", ...rest] = process.argv.slice(2);
if (first === "" || first.startsWith("-")) await measureCompared(process.argv.slice(2), "all");
else if (!Object.hasOwn(commands, first)) {
  console.error(`npm run bench knows no ${first}, only ${Object.keys(commands).join(", ")}; see --help.`);
  process.exit(2);
} else await commands[first]?.(rest);
process.exit(0);
