/** What Node is told besides, by program. docs/performance.md, "Footprint and start", has what each flag was measured to do. */
export const nodeFlags = {
  orchestrator: [],
  sidecar: ["--max-semi-space-size=4", "--max-old-space-size=64"],
};
