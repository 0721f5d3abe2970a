import type { NatsConnection } from "@nats-io/transport-node";
import { createHash } from "node:crypto";
import { readFromLeader } from "./jetstream.ts";

/** An object as it stood when it was read; `revision` is that of its metadata. */
export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly revision: number;
}

/** What we read of an object's metadata. */
interface ObjectFacts {
  readonly nuid: string;
  readonly chunks: number;
  readonly digest: string;
  readonly isDeleted: boolean;
}

/**
 * Reads an object of an object store from its stream's leader, a request for its metadata and one for each chunk. The client's own way makes a
 * consumer for each read and leaves it to the server, which has room for a thousand. Undefined: there is none. Throws when it was replaced meanwhile; read
 * again.
 */
export async function readObject(
  connection: NatsConnection,
  bucket: string,
  name: string,
  timeoutMs: number,
): Promise<StoredObject | undefined> {
  const stream = `OBJ_${bucket}`;
  const meta = await readFromLeader(
    connection,
    stream,
    { kind: "last", subject: metaSubject(bucket, name) },
    timeoutMs,
  );
  const facts = meta === undefined ? undefined : parseFacts(meta.data);
  if (meta === undefined || facts === undefined || facts.isDeleted) return undefined;
  const subject = `$O.${bucket}.C.${facts.nuid}`;
  const chunks: Uint8Array[] = [];
  for (let from = 1; chunks.length < facts.chunks;) {
    const chunk = await readFromLeader(connection, stream, { kind: "first", subject, from }, timeoutMs);
    if (chunk === undefined) throw new Error(`chunk ${chunks.length + 1} of ${facts.chunks} is gone`);
    chunks.push(chunk.data);
    from = chunk.sequence + 1;
  }
  const bytes = new Uint8Array(Buffer.concat(chunks));
  const digest = createHash("sha256").update(bytes).digest();
  if (!digest.equals(Buffer.from(facts.digest.replace(/^SHA-256=/, ""), "base64url")))
    throw new Error(`its digest is not ${facts.digest}`);
  return { bytes, revision: meta.sequence };
}

/** The subject of an object's metadata. */
export function metaSubject(bucket: string, name: string): string {
  const encoded = Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return `$O.${bucket}.M.${encoded}`;
}

/** The one parse function of this edge: metadata as the client writes it. */
function parseFacts(data: Uint8Array): ObjectFacts {
  const parsed: unknown = JSON.parse(Buffer.from(data).toString());
  const fields = new Map<string, unknown>(typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : []);
  return {
    nuid: String(fields.get("nuid")),
    chunks: Number(fields.get("chunks") ?? 0),
    digest: String(fields.get("digest")),
    isDeleted: fields.get("deleted") === true,
  };
}
