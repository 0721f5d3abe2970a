import { readFileSync } from "node:fs";
import { errorText } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { TurnObserver } from "./processor/ports.ts";
import { toReproject } from "./processor/reproject.ts";
import type { ReprojectGround, Telling } from "./processor/reproject.ts";
import { openSpanExport } from "./processor/spanExport.ts";
import type { SpanExport } from "./processor/spanExport.ts";
import type { SpanNews } from "./processor/spanSender.ts";
import { noticesOfTurn } from "./projection/notices.ts";
import type { Notice } from "./projection/notices.ts";
import { toWebhookSink } from "./webhook/webhookSink.ts";

/** Incidents and failed runs, told to a URL. */
export interface Webhook extends AsyncDisposable {
  readonly observer: TurnObserver;
  /** Resolves when all notices are out, or when the signal aborts. */
  settled(signal: AbortSignal): Promise<void>;
}

export interface WebhookSettings {
  readonly webhook: string | undefined;
  readonly webhookSecretFile: string | undefined;
}

const secretBytesMin = 16;
const bounds = { pendingMax: 1_000, batchMax: 100, lingerMs: 100 };
const noticesTold: Telling<Notice> = { isWanted: () => true, ofTurn: noticesOfTurn };

/** Opens it; undefined: there is none. What is not told yet is read from the log again after a crash. Throws what a person has to mend. */
export function openWebhook(
  { webhook: url, webhookSecretFile }: WebhookSettings,
  ground: ReprojectGround,
  instruments: Pick<Instruments, "meter">,
  log: Log,
): Webhook | undefined {
  if (url === undefined) return undefined;
  const secret = readSecret(webhookSecretFile);
  const measures = openWebhookMeasures(instruments);
  const told = (news: SpanNews): void => {
    if (news.kind === "away" || news.kind === "back") measures.away(news.kind === "away");
    tell(news, log);
  };
  const count = (outcome: string, notices: number): void => {
    measures.count(outcome, notices);
    if (outcome === "expired") log.warn("notices for the webhook are a day old and dropped", { notices });
  };
  const sink = toWebhookSink({ url, secret, now: Date.now, told: count });
  const out = openSpanExport({ sink, reproject: toReproject(ground, noticesTold), told, pause, bounds });
  log.info("incidents and failed runs are told to a webhook", { host: new URL(url).host });
  return {
    observer: toNoticeObserver(out),
    settled: (signal) => out.settled(signal),
    [Symbol.asyncDispose]: () => out[Symbol.asyncDispose](),
  };
}

/** The webhook's metrics. */
export function openWebhookMeasures({ meter }: Pick<Instruments, "meter">): {
  count(outcome: string, notices: number): void;
  away(isAway: boolean): void;
} {
  const notices = meter.createCounter("sidestep.orchestrator.webhook.notices", {
    description: "Notices by what became of them.",
  });
  let isAway = false;
  meter
    .createObservableGauge("sidestep.orchestrator.webhook.away", {
      description: "1 while the webhook's URL takes nothing.",
    })
    .addCallback((result) => result.observe(isAway ? 1 : 0));
  return {
    count: (outcome, many) => notices.add(many, { outcome }),
    away: (now) => void (isAway = now),
  };
}

function toNoticeObserver(out: SpanExport<Notice>): TurnObserver {
  return {
    opened: (partition, position) => out.opened(partition, position),
    closed: (partition) => out.closed(partition),
    tracedUpTo: (partition, checkpoint) => out.tracedUpTo(partition, checkpoint),
    turn: ({ partition, state }, { sequence }, { transitions }) => {
      if (transitions.length > 0) out.add(partition, sequence, noticesOfTurn(state, sequence, transitions));
    },
  };
}

function readSecret(file: string | undefined): Uint8Array {
  if (file === undefined)
    throw new Error("--webhook signs what it sends: give a file with the secret as --webhook-secret-file");
  try {
    const secret = Buffer.from(readFileSync(file, "utf8").trim());
    if (secret.length >= secretBytesMin) return secret;
  } catch (error) {
    throw new Error(`--webhook-secret-file names a file that can't be read: ${errorText(error)}`, { cause: error });
  }
  throw new Error(`--webhook-secret-file names ${file}: it must have at least ${secretBytesMin} characters`);
}

function tell(news: SpanNews, log: Log): void {
  switch (news.kind) {
    case "away":
      return log.warn("the webhook takes no notices; they are kept in the log", { error: news.message });
    case "back":
      return log.info("the webhook takes notices again");
    case "refused":
      return log.warn("the webhook refused a notice", { error: news.message, notice: news.name });
    case "unreadable":
      return log.warn("the log can't be read again for notices now", { partition: news.partition, error: news.error });
  }
}
