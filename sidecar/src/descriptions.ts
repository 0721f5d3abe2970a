import type { PayloadRef } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { AskReply_Verdict } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { toHex } from "../../proto/wire/runId.ts";
import type { ParsedTask } from "./core/taskMessage.ts";

type Kept = { readonly bytes: Uint8Array; ref: PayloadRef | undefined; isUnderWay: boolean; isTried: boolean };

export type DescriptionsOptions = {
  /** Writes a description; undefined when it could not: it is tried again the next time somebody asks. Ends soon either way. */
  readonly keep: (service: string, bytes: Uint8Array) => Promise<PayloadRef | undefined>;
  /** A description has been written, or could not be. */
  readonly onTried: () => void;
  readonly now: () => number;
};

/** Plans and methods that are remembered to fit; with more all are asked about again. */
const fitsMax = 10_000;
/** After a task that did not fit others are served before us for so long. */
const shyMs = 60_000;
/** As many tasks in hands as put a sidecar behind all others. */
const shyHands = 96;

/** How the services beside us describe themselves to the orchestrators, and whose calls are known to fit that. */
export class Descriptions {
  readonly #options: DescriptionsOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #fits = new Set<string>();
  #misfitAtMs = -Infinity;

  constructor(options: DescriptionsOptions) {
    this.#options = options;
  }

  /** Where a service's description is; undefined: it has none, or it is being written. */
  refOf(service: string, bytes: Uint8Array | undefined): PayloadRef | undefined {
    return bytes === undefined ? undefined : this.#of(service, bytes).ref;
  }

  /** It has none, or has been written, or that was tried: tasks may be taken. */
  isSettled(service: string, bytes: Uint8Array | undefined): boolean {
    return bytes === undefined || this.#of(service, bytes).isTried;
  }

  /** Id of the description that an ask names; empty: there is none. */
  contractOf({ service }: Pick<ParsedTask, "service">): string {
    return this.#kept.get(service)?.ref?.id ?? "";
  }

  /** The service describes itself, and nobody has said yet that calls of the task's method by its plan fit that. */
  isUnsure(task: ParsedTask): boolean {
    return this.contractOf(task) !== "" && task.message.plan.length > 0 && !this.#fits.has(this.#keyOf(task));
  }

  /** What the owner answered before the call. */
  learn(task: ParsedTask, verdict: AskReply_Verdict | undefined): void {
    if (verdict === AskReply_Verdict.MISFIT) this.#misfitAtMs = this.#options.now();
    if (verdict !== AskReply_Verdict.OPEN) return;
    if (this.#fits.size >= fitsMax) this.#fits.clear();
    this.#fits.add(this.#keyOf(task));
  }

  /** So many tasks count as in hands at least, while tasks have come lately that another sidecar may fit: let that be served first. */
  handsMin(): number {
    return this.#options.now() - this.#misfitAtMs < shyMs ? shyHands : 0;
  }

  #keyOf(task: ParsedTask): string {
    return `${task.message.method} ${toHex(task.message.plan)} ${this.contractOf(task)}`;
  }

  #of(service: string, bytes: Uint8Array): Kept {
    let one = this.#kept.get(service);
    if (one === undefined || one.bytes !== bytes) {
      one = { bytes, ref: undefined, isUnderWay: false, isTried: false };
      this.#kept.set(service, one);
    }
    if (one.ref === undefined && !one.isUnderWay) void this.#write(service, one);
    return one;
  }

  async #write(service: string, one: Kept): Promise<void> {
    one.isUnderWay = true;
    one.ref = await this.#options.keep(service, one.bytes);
    one.isUnderWay = false;
    one.isTried = true;
    this.#options.onTried();
  }
}
