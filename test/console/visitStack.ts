import { ensureConsole } from "../../scripts/bundle/console.ts";
import { startBrowser } from "../support/browser.ts";
import { startTriggerStack } from "../support/triggerStack.ts";
import type { TriggerStack } from "../support/triggerStack.ts";
import { visit } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";

/** What a test of the console has of an orchestrator with a NATS of its own. */
export interface VisitedStack {
  readonly stack: TriggerStack;
  readonly address: string;
  readonly one: Visitor;
}

/** Starts one, deploys a contract on it, and visits its console. */
export async function visitStack(closing: AsyncDisposableStack, contract: string): Promise<VisitedStack> {
  await ensureConsole();
  const stack = closing.use(await startTriggerStack());
  const { address } = await stack.start();
  await stack.deploy(address, contract);
  const { browser } = closing.use(await startBrowser());
  const one = closing.use(await visit(browser, `http://${address}`));
  return { stack, address, one };
}
