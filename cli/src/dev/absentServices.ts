import type { FrontClient } from "../frontClient.ts";
import { CliFailure } from "../failure.ts";
import { passed } from "./kept.ts";

const lookEveryMs = 400;
/** Services take their time to start, and sidecars say every ten seconds what they offer. */
const patienceMs = 12_000;

/** Waits until all of these are served, or patience ends; gives those that are not. */
export async function absentOf(
  needed: readonly string[],
  client: FrontClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  let absent = needed;
  const until = performance.now() + patienceMs;
  while (absent.length > 0 && !signal.aborted) {
    absent = await unserved(needed, client);
    if (absent.length === 0 || performance.now() > until) return absent;
    await passed(lookEveryMs, signal);
  }
  return absent;
}

async function unserved(needed: readonly string[], client: FrontClient): Promise<readonly string[]> {
  try {
    const { services } = await client.call(client.services.listServices.bind(client.services), {});
    const served = new Set(services.flatMap(({ service, serving }) => (serving > 0 ? [service] : [])));
    return needed.filter((service) => !served.has(service));
  } catch (error) {
    if (error instanceof CliFailure) return needed;
    throw error;
  }
}

/** What to do about a service that nobody offers. */
export function absentText(service: string): string {
  return [
    `nobody offers ${service}: steps that call it wait`,
    `  hint: name where it listens or what starts it under services: in sidestep.yaml, or have it answered for: --stub ${service}`,
  ].join("\n");
}
