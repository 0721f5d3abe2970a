/** What Node is told besides, by program. docs/performance.md, "Footprint and start", has what each flag was measured to do. */
export const nodeFlags = {
  orchestrator: [],
  // Without the last one V8 decides in the first burst of tasks, when all that was made is in hands, to make more of it old from the start, for good.
  sidecar: ["--max-semi-space-size=4", "--max-old-space-size=64", "--no-allocation-site-pretenuring"],
};
