import type { AuditEntry } from "../../../proto/gen/sidestep/v1/audit.ts";

/** Where records of who steered what are kept. */
export interface AuditStore {
  /** Keeps an entry in place of the one with its id; false: it is not known to be durable within the time. Never rejects. */
  put(entry: AuditEntry, withinMs: number): Promise<boolean>;
  /** Entries before a position, newest first, and where the next page begins. Throws while NATS does not answer. */
  page(before: number | undefined): Promise<{
    readonly entries: readonly { readonly at: number; readonly entry: AuditEntry }[];
    readonly next: number | undefined;
  }>;
}
