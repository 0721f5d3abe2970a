import { AuditEntry_Outcome as Outcome } from "../../../proto/gen/sidestep/v1/audit.ts";
import type {
  AuditEntry,
  AuditServer,
  ListAuditRequest,
  ListAuditResponse,
} from "../../../proto/gen/sidestep/v1/audit.ts";
import type { Timestamp } from "../../../proto/gen/google/protobuf/timestamp.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import { refusalFailure } from "./failure.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

const pageDefault = 100;
const pageMax = 1_000;
/** Chunks of the store that one page looks through. */
const chunksMax = 20;

/** sidestep.v1.Audit. */
export function auditService(store: AuditStore): AuditServer {
  return { list: unary(({ request }) => listAudit(request, store)) };
}

async function listAudit(request: ListAuditRequest, store: AuditStore): Promise<Answered<ListAuditResponse>> {
  const { pageSize, pageToken } = request;
  const limit = pageSize > 0 ? Math.min(pageSize, pageMax) : pageDefault;
  const from = pageToken === "" ? undefined : Number(pageToken);
  if (from !== undefined && !(Number.isSafeInteger(from) && from > 0)) {
    const message = "page_token is none that was given out";
    return failed({ code: code.INVALID_ARGUMENT, message, reason: "INVALID_PAGE_TOKEN" });
  }
  const entries: AuditEntry[] = [];
  let before = from;
  try {
    for (let chunk = 0; chunk < chunksMax; chunk += 1) {
      const page = await store.page(before);
      for (const { at, entry } of page.entries) {
        if (!fits(entry, request)) continue;
        entries.push(entry);
        if (entries.length === limit) return done({ entries, nextPageToken: at > 1 ? String(at) : "" });
      }
      if (page.next === undefined) return done({ entries, nextPageToken: "" });
      before = page.next;
    }
  } catch (error) {
    const message = `the audit can't be read now: ${errorText(error)}`;
    return failed(refusalFailure({ kind: "unavailable", message }));
  }
  return done({ entries, nextPageToken: String(before) });
}

function fits(entry: AuditEntry, { actor, method, target, from, until, outcome }: ListAuditRequest): boolean {
  const atMs = msOf(entry.at);
  return (
    (actor === "" || entry.actor === actor) &&
    (method === "" || entry.method === method || entry.method.endsWith(`/${method}`)) &&
    (outcome === Outcome.OUTCOME_UNSPECIFIED || entry.outcome === outcome) &&
    (target === "" || entry.target.split(", ").includes(target)) &&
    (from === undefined || atMs >= msOf(from)) &&
    (until === undefined || atMs < msOf(until))
  );
}

function msOf(at: Timestamp | undefined): number {
  return at === undefined ? 0 : Number(at.seconds) * 1000 + at.nanos / 1e6;
}
