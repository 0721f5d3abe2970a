import type { PayloadRef } from "../../proto/gen/sidestep/internal/v1/event.ts";

/** Where the descriptions of services are kept for the orchestrators; what is there is written once. */
export class Descriptions {
  readonly #keep: (service: string, bytes: Uint8Array) => Promise<PayloadRef | undefined>;
  readonly #onKept: () => void;
  readonly #kept = new Map<string, { readonly bytes: Uint8Array; ref: PayloadRef | undefined; isUnderWay: boolean }>();

  /** `keep` answers undefined when it could not; it is tried again the next time somebody asks. */
  constructor(keep: (service: string, bytes: Uint8Array) => Promise<PayloadRef | undefined>, onKept: () => void) {
    this.#keep = keep;
    this.#onKept = onKept;
  }

  /** Where a service's description is; undefined: it has none, or it is being written, and `onKept` tells. */
  refOf(service: string, bytes: Uint8Array | undefined): PayloadRef | undefined {
    if (bytes === undefined) return undefined;
    let one = this.#kept.get(service);
    if (one === undefined || one.bytes !== bytes) {
      one = { bytes, ref: undefined, isUnderWay: false };
      this.#kept.set(service, one);
    }
    if (one.ref === undefined && !one.isUnderWay) void this.#write(service, one);
    return one.ref;
  }

  async #write(
    service: string,
    one: { readonly bytes: Uint8Array; ref: PayloadRef | undefined; isUnderWay: boolean },
  ): Promise<void> {
    one.isUnderWay = true;
    one.ref = await this.#keep(service, one.bytes);
    one.isUnderWay = false;
    if (one.ref !== undefined) this.#onKept();
  }
}
