import type { Breakers } from "./breakers.ts";
import type { ServiceWatch } from "./grpc/serviceWatch.ts";
import type { CallRequest, Service } from "./ports.ts";

/** Who takes the tasks of a service. */
export type Provider = Service & {
  readonly isServing: boolean;
  readonly target: string;
  /** How the process describes itself. */
  readonly descriptors: Uint8Array | undefined;
};

/** Of several processes that offer a service the first that is healthy; none serves that may not. */
export function providersOf(
  watches: readonly ServiceWatch[],
  breakers: Breakers,
  mayServe: (service: string, descriptors: Uint8Array | undefined) => boolean,
): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>();
  for (const watch of watches) {
    for (const { exposed, isServing } of watch.offers()) {
      if (providers.get(exposed.service)?.isServing === true) continue;
      const { text: target } = watch.target;
      const service = { offered: exposed, invoke: (request: CallRequest) => watch.client.call(request) };
      const descriptors = watch.descriptors();
      const state = { isServing: isServing && mayServe(exposed.service, descriptors), target, descriptors };
      providers.set(exposed.service, { ...breakers.watched(service), ...state });
    }
  }
  return providers;
}
