import type { OrderServiceName } from "../support/orderServices.ts";
import type { OrderStack } from "../support/orderStack.ts";

/** What can be killed. */
export type Victim = "orchestrator" | "sidecar" | "service" | "nats-server";

/** Where there are several of them. */
export interface Which {
  readonly orchestrator: number;
  readonly service: OrderServiceName;
}

/** SIGKILL, and started again at once. */
export async function kill(stack: OrderStack, victim: Victim, { orchestrator, service }: Which): Promise<void> {
  switch (victim) {
    case "orchestrator":
      return await stack.orchestrators[orchestrator]?.crash();
    case "sidecar":
      return await stack.sidecars[service].crash();
    case "service":
      await stack.services[service].kill9();
      return await stack.services[service].restart();
    case "nats-server":
      await stack.nats.kill9();
      return await stack.nats.restart();
  }
}
