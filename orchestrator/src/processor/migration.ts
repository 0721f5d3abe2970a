import type { DroppedSignals, Migration } from "../engine/migration.ts";

/** The version to go on by, and who asks. */
export interface MigrationRequest {
  readonly version: number;
  readonly planHash: Uint8Array;
  readonly reason: string;
  readonly actor: string;
  readonly requestId: string;
  /** Signals that wait to be taken, and which the version does not know, may be dropped; else the run stays. */
  readonly dropSignals: boolean;
}

/** Whether a run can go on by another plan; `same`: it does. */
export type MigrationFound = (Migration | { readonly kind: "same" }) & {
  /** The run's version. */
  readonly version: number;
};

/** What became of a migration: it has gone on by the plan, at that step, or why not. */
export type Migrated =
  | Migration
  | { readonly kind: "same" }
  /** Signals wait that would be dropped, and nobody said that they may. */
  | { readonly kind: "drops"; readonly signals: readonly DroppedSignals[] }
  | { readonly kind: "done"; readonly at: string };
