import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** A message of a bucket as its leader has it. */
export type BucketMessage = {
  readonly value: Uint8Array;
  readonly revision: number;
  readonly storedMs: number;
};

const requestTimeoutMs = 3_000;
const noSuchMessage = 10037;
const noSuchStream = 10059;
const notEnabled = 10039;

/** The last message of a key, or the one of a revision; undefined: there is none, or no such bucket. Throws when NATS does not answer. */
export async function readFromBucket(
  nats: Nats,
  bucket: string,
  wanted: { readonly key: string } | { readonly revision: number },
): Promise<BucketMessage | undefined> {
  const request = "key" in wanted ? { last_by_subj: `$KV.${bucket}.${wanted.key}` } : { seq: wanted.revision };
  const { error, message } = await ask(nats, `$JS.API.STREAM.MSG.GET.KV_${bucket}`, JSON.stringify(request));
  if (message !== undefined) {
    return {
      value: Buffer.from(message.data ?? "", "base64"),
      revision: message.seq,
      storedMs: Date.parse(message.time),
    };
  }
  if (error?.err_code === noSuchMessage || error?.err_code === noSuchStream) return undefined;
  throw new Error(`NATS did not give a record of ${bucket}: ${error?.description ?? "no message in its answer"}`);
}

/**
 * In an account of its own a sidecar gets two answers: the stream's, and one of the JetStream API of that account, which has none. The first that
 * is not of the latter counts. Throws when there is none.
 */
async function ask(nats: Nats, subject: string, request: string): Promise<Answer> {
  const answers = await nats.connection.requestMany(subject, request, {
    strategy: "timer",
    maxWait: requestTimeoutMs,
  });
  let last: Answer | undefined;
  for await (const { data } of answers) {
    last = parseAnswer(data);
    if (last.error?.err_code !== notEnabled) return last;
  }
  if (last === undefined) throw new Error(`NATS did not answer ${subject}`);
  return last;
}

type Answer = {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly message?: { readonly seq: number; readonly data?: string; readonly time: string };
};

/** The one parse function of this edge: an answer of the JetStream API, trusted to have its documented shape. */
function parseAnswer(data: Uint8Array): Answer {
  const parsed: unknown = JSON.parse(Buffer.from(data).toString());
  return typeof parsed === "object" && parsed !== null ? parsed : {};
}
