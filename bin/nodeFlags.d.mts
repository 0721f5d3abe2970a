/** What Node is told besides, by program. */
export const nodeFlags: Readonly<Record<"orchestrator" | "sidecar", readonly string[]>>;
