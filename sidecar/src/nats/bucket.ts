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

/** The last message of a key, or the one of a revision; undefined: there is none, or no such bucket. Throws when NATS does not answer. */
export async function readFromBucket(
  nats: Nats,
  bucket: string,
  wanted: { readonly key: string } | { readonly revision: number },
): Promise<BucketMessage | undefined> {
  const request = "key" in wanted ? { last_by_subj: `$KV.${bucket}.${wanted.key}` } : { seq: wanted.revision };
  const reply = await nats.connection.request(`$JS.API.STREAM.MSG.GET.KV_${bucket}`, JSON.stringify(request), {
    timeout: requestTimeoutMs,
  });
  const { error, message } = parseAnswer(reply.data);
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

type Answer = {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly message?: { readonly seq: number; readonly data?: string; readonly time: string };
};

/** The one parse function of this edge: an answer of the JetStream API, trusted to have its documented shape. */
function parseAnswer(data: Uint8Array): Answer {
  const parsed: unknown = JSON.parse(Buffer.from(data).toString());
  return typeof parsed === "object" && parsed !== null ? parsed : {};
}
