/** V8 decides in the first burst, when all that was made is in hands, to make more of it old from the start, and stays at that: garbage that only a walk over the whole heap collects. */
const madeYoung = "--no-allocation-site-pretenuring";

/** What Node is told besides, by program. docs/performance.md, "Footprint and start", has what each flag was measured to do. */
export const nodeFlags = {
  orchestrator: [madeYoung],
  sidecar: ["--max-semi-space-size=4", "--max-old-space-size=64", madeYoung],
};
