import { hash } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import type { PayloadRef } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { Names } from "../../proto/wire/subjects.ts";
import { firstAnswer } from "./firstAnswer.ts";
import { openGate } from "./gate.ts";
import { publishDurably } from "./publishDurably.ts";
import { messageIdLine } from "./publisher.ts";
import type { Publisher } from "./publisher.ts";
import { openChunk, openSeals, sealChunk } from "./seal.ts";

/**
 * What is too large for a message, kept as sealed chunks in a stream. Who has the reference can read it, and nobody else; writing it twice is
 * harmless.
 */
export interface Payloads {
  /** Resolves once all of it is durable. Throws PayloadError when it can't be. */
  put(service: string, runId: string, bytes: Uint8Array, signal: AbortSignal): Promise<PayloadRef>;
  /** Keeps what is no secret and belongs to no run under the hash of its bytes: the same bytes are kept once. Throws like `put`. */
  putShared(service: string, bytes: Uint8Array, signal: AbortSignal): Promise<PayloadRef>;
  /**
   * Undefined: it is not there, or not all of it, or the reference is none that `put` gave. Whatever a reference claims, no more is held than what is
   * stored. Throws PayloadError when NATS does not answer.
   */
  get(ref: PayloadRef): Promise<Uint8Array | undefined>;
}

/** A payload could not be written or read; trying later may help. */
export class PayloadError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "PayloadError";
  }
}

/** Every nats-server that fits takes messages of 1 MiB. */
const chunkBytes = 512 * 1024;
/** Chunks under way at a time. */
const chunksAtOnce = 4;
/** Payloads that are read at a time: putting together many in one turn of the event loop would hold up everybody else. */
const readAtOnce = 2;
const requestTimeoutMs = 5_000;
/** A replica may stand still. A lone server that does not answer has too much to send as it is. */
const askAgainMs = 1_000;

/** Payloads over a connection and a publisher that live longer. */
export function toPayloads(connection: NatsConnection, publisher: Publisher, names: Names): Payloads {
  const readChunk = async (subject: string): Promise<Uint8Array | undefined> =>
    (await readDirect(connection, names.payloadsStream, subject)) ??
    readFromLeader(connection, names.payloadsStream, subject);
  const throughGate = openGate(readAtOnce, setImmediate);
  const sealOf = openSeals();
  const store = async (
    { service, runId, id, key }: Pick<PayloadRef, "service" | "runId" | "id" | "key">,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<PayloadRef> => {
    const chunks = Math.max(1, Math.ceil(bytes.length / chunkBytes));
    await atOnce(chunks, async (n) => {
      const plain = bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes);
      const chunk = key.length > 0 ? sealChunk(key, n, plain) : plain;
      const subject = names.payloadSubject(service, runId, id, n);
      const messageId = messageIdLine(`${service}.${runId}.${id}.${n}`);
      const stored = await publishDurably(publisher, names.payloadsStream, subject, chunk, messageId, { signal });
      if (stored.kind !== "stored")
        throw new PayloadError(`a payload of ${bytes.length} bytes is not stored: ${stored.message}`);
      return true;
    });
    return { runId, service, id, chunks, sizeBytes: bytes.length, key };
  };
  return {
    put: (service, runId, bytes, signal) =>
      store({ service, runId, ...sealOf(`${service} ${runId}`, bytes) }, bytes, signal),
    putShared: (service, bytes, signal) => {
      const id = idOf(bytes);
      return store({ service, runId: id, id, key: new Uint8Array() }, bytes, signal);
    },
    get: (ref) =>
      throughGate(async () => {
        const { runId, service, id, chunks, sizeBytes, key } = ref;
        if (!isWellFormed(ref)) return undefined;
        const parts: Uint8Array[] = [];
        let left = sizeBytes;
        const isWhole = await atOnce(chunks, async (n) => {
          const stored = await readChunk(names.payloadSubject(service, runId, id, n));
          const part = stored !== undefined && key.length > 0 ? openChunk(key, n, stored) : stored;
          if (part === undefined) return false;
          parts[n] = part;
          left -= part.length;
          return left >= 0;
        });
        if (!isWhole || left !== 0) return undefined;
        const bytes = await joined(parts, sizeBytes);
        return key.length > 0 || idOf(bytes) === id ? bytes : undefined;
      }),
  };
}

const hexForm = /^[0-9a-f]{32}$/;
const serviceForm = /^[\w.-]{1,1024}$/;

/** A reference comes from whoever wrote a message: NATS is asked only for subjects that can be ones of payloads. */
function isWellFormed({ runId, service, id, chunks, sizeBytes }: PayloadRef): boolean {
  const isNamed = hexForm.test(runId) && hexForm.test(id) && serviceForm.test(service);
  return isNamed && chunks >= 1 && chunks <= Math.max(1, sizeBytes);
}

/** Of a payload without a key. */
function idOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex").slice(0, 32);
}

/** A chunk a turn of the event loop: fresh memory can cost a hundred times what copying into it does. */
async function joined(parts: readonly Uint8Array[], sizeBytes: number): Promise<Uint8Array> {
  const [first, ...others] = parts;
  if (first === undefined || others.length === 0) return first ?? new Uint8Array();
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let at = 0;
  for (const part of parts) {
    if (at > 0) await nextTurn();
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Does all of 0 to count - 1, some at a time; begins no more, and answers false, once one of them said false. */
async function atOnce(count: number, work: (n: number) => Promise<boolean>): Promise<boolean> {
  let next = 0;
  let goesOn = true;
  const worker = async (): Promise<void> => {
    try {
      while (goesOn && next < count) if (!(await work(next++))) goesOn = false;
    } catch (error) {
      goesOn = false;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: Math.min(chunksAtOnce, count) }, worker));
  return goesOn;
}

/** From any replica, as raw bytes. Undefined: this replica has none. */
async function readDirect(
  connection: NatsConnection,
  stream: string,
  subject: string,
): Promise<Uint8Array | undefined> {
  const message = await ask(connection, `$JS.API.DIRECT.GET.${stream}.${subject}`, "");
  const code = message.headers?.code ?? 0;
  if (code === 404) return undefined;
  if (code !== 0) throw new PayloadError(`NATS refused to read a payload with status ${code}`);
  // The client parses into a buffer that it uses again.
  return message.data.slice();
}

/** What decides that a chunk is gone is never a replica. */
async function readFromLeader(
  connection: NatsConnection,
  stream: string,
  subject: string,
): Promise<Uint8Array | undefined> {
  const message = await ask(connection, `$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ last_by_subj: subject }));
  const { error, message: found } = parseAnswer(message.data);
  if (error === undefined) return Buffer.from(found?.data ?? "", "base64");
  if (error.err_code === noSuchMessage) return undefined;
  throw new PayloadError(`NATS refused to read a payload: ${error.description ?? ""}`);
}

const noSuchMessage = 10_037;

interface LeaderAnswer {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly message?: { readonly data?: string };
}

/** The one parse function of this edge. */
function parseAnswer(data: Uint8Array): LeaderAnswer {
  const answer: unknown = JSON.parse(Buffer.from(data).toString());
  return typeof answer === "object" && answer !== null ? answer : {};
}

async function ask(connection: NatsConnection, subject: string, body: string) {
  const request = (timeout: number) => connection.request(subject, body, { timeout });
  const everyMs = connection.info?.cluster === undefined ? requestTimeoutMs : askAgainMs;
  try {
    return await firstAnswer(request, { timeoutMs: requestTimeoutMs, everyMs, mayWait: () => false });
  } catch (error) {
    throw new PayloadError("NATS did not answer for a payload", error);
  }
}
