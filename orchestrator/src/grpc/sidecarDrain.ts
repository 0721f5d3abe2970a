import type { SidecarStatus } from "../../../proto/gen/sidestep/v1/services.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Catalog, KnownSidecar } from "./catalog.ts";
import { refusalFailure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { toSidecars } from "./sidecarStatus.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Tells one sidecar to take nothing new, or to take tasks again, on the subjects of these services. It may get lost. */
export type TellSidecar = (services: readonly string[], order: SidecarOrder) => void;

/** What one sidecar is to do, and who asks. */
export interface SidecarOrder {
  readonly sidecarId: string;
  /** It takes tasks again. */
  readonly lifted: boolean;
  readonly reason: string;
  readonly actor: string;
}

export interface DrainGround {
  readonly catalog: Catalog;
  readonly log: Log;
  readonly tellSidecar: TellSidecar;
}

const lookEveryMs = 50;
const tellEveryLooks = 10;
const looksMax = 100;

/** Orders it, again while the sidecar does not say that it heard, for 5 s. */
export async function orderSidecar(
  order: SidecarOrder,
  { catalog, tellSidecar, log }: DrainGround,
): Promise<Answered<{ readonly sidecars: SidecarStatus[] }>> {
  const { sidecarId, lifted, reason, actor } = order;
  const long = tooLong({ reason });
  if (long !== undefined) return failed(long);
  for (let look = 0; look < looksMax; look += 1) {
    const known = catalog.sidecars().filter(({ sidecar }) => sidecar?.id === sidecarId);
    if (known.length === 0)
      return failed({
        code: code.NOT_FOUND,
        message: `no sidecar ${JSON.stringify(sidecarId)} is alive`,
        reason: "SIDECAR_NOT_FOUND",
      });
    if (look > 0 && known.every((one) => hasHeard(one, order))) {
      log.info(lifted ? "a sidecar takes tasks again" : "a sidecar is drained", { sidecarId, reason, actor });
      return done({ sidecars: toSidecars(known) });
    }
    if (look % tellEveryLooks === 0) tellSidecar([...new Set(known.flatMap(({ services }) => services))], order);
    await pause(lookEveryMs);
  }
  return failed(
    refusalFailure({ kind: "unavailable", message: `the sidecar ${sidecarId} does not say that it has heard` }),
  );
}

function hasHeard({ draining }: KnownSidecar, { lifted, reason }: SidecarOrder): boolean {
  return lifted ? draining === undefined : draining?.reason === reason;
}
