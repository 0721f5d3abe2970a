import type { SpanSink, SpanSinkAnswer } from "../processor/spanSink.ts";
import type { Notice } from "../projection/notices.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { version } from "../../../runtime/src/version.ts";
import { bodyOf } from "./noticeText.ts";
import { signatureHeader, signatureOf } from "./signature.ts";

export interface WebhookOptions {
  readonly url: string;
  readonly secret: Uint8Array;
  readonly now: () => number;
  readonly told: (outcome: "taken" | "refused" | "expired", notices: number) => void;
  /** 10 s unless told. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 10_000;
/** Nobody gets up for what is a day old. */
const freshMs = 24 * 3_600_000;
/** What was said will never be taken, however often it is said. All else may be mended at the other end. */
const refusals: ReadonlySet<number> = new Set([400, 410, 413, 415, 422]);

/** Posts notices to a URL. What is older than a day is dropped. */
export function toWebhookSink(options: WebhookOptions): SpanSink<Notice> {
  const { now, told } = options;
  return {
    export: async (notices) => {
      const fresh = notices.filter(({ atMs }) => now() - atMs < freshMs);
      if (fresh.length < notices.length) told("expired", notices.length - fresh.length);
      if (fresh.length === 0) return { kind: "taken" };
      const answer = await post(options, bodyOf(fresh));
      if (answer.kind === "taken") told("taken", fresh.length);
      // Of several the sender finds out which one it is.
      if (answer.kind === "refused" && fresh.length === 1) told("refused", 1);
      return answer;
    },
  };
}

async function post(
  { url, secret, now, timeoutMs = timeoutMsDefault }: WebhookOptions,
  body: string,
): Promise<SpanSinkAnswer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      // Where it leads is not what was configured.
      redirect: "manual",
      headers: {
        "content-type": "application/json",
        "user-agent": `sidestep/${version}`,
        [signatureHeader]: signatureOf(secret, body, now()),
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (response.ok) return { kind: "taken" };
    const message = `it answered ${response.status}`;
    return refusals.has(response.status) ? { kind: "refused", message } : { kind: "away", message };
  } catch (error) {
    return { kind: "away", message: errorText(error) };
  }
}
