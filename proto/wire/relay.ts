/** How long an orchestrator holds a service's call before it has the sidecar ask again. */
export const relayHoldMs = 10_000;

/** Every nats-server that fits takes messages of 1 MiB. */
export const relayPartBytes = 512 * 1024;

/** Run ids under which requests of such calls are kept apart: those of no run, for no clock will come there. */
export const relayedForm = /^ffff[0-9a-f]{28}$/;
