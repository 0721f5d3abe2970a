import type { DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";

/** The index as it stood when it was read; `revision` 0: there was none yet. */
export interface StoredIndex {
  readonly index: DefinitionIndex;
  readonly revision: number;
}

/**
 * Where definitions are kept for all orchestrators. Every call may throw DefinitionStoreError, within seconds, when the store can't be
 * reached; repeating one is always safe.
 */
export interface DefinitionStore {
  readIndex(): Promise<StoredIndex>;
  /** Replaces the index that had `revision`; false when another one is there by now. */
  replaceIndex(index: DefinitionIndex, revision: number): Promise<boolean>;
  /** Undefined: nothing has that hash. */
  readPlan(hash: Uint8Array): Promise<Uint8Array | undefined>;
  writePlan(hash: Uint8Array, bytes: Uint8Array): Promise<void>;
  readContract(hash: Uint8Array): Promise<Uint8Array | undefined>;
  writeContract(hash: Uint8Array, bytes: Uint8Array): Promise<void>;
  /** Tasks of the service can wait for its sidecars from now on. */
  ensureTaskConsumer(service: string): Promise<void>;
  /** Calls whenever the index may have changed, until the signal aborts. */
  watch(changed: () => void, signal: AbortSignal): void;
}

/** The store did not answer, or answered with what can't be read. */
export class DefinitionStoreError extends Error {
  readonly code = "DEFINITIONS_UNAVAILABLE";
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DefinitionStoreError";
  }
}
