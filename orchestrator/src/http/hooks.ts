import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { code } from "../../../proto/wire/status.ts";
import type { EventHooks } from "../processor/eventHooks.ts";
import { answerJson } from "./answers.ts";
import type { Bodies } from "./body.ts";
import { readHookSecrets, whyNotSigned } from "./hookSignature.ts";
import { httpError } from "./httpError.ts";

/** Where triggers are called over HTTP. */
export const hooksPath = "/hooks/";

export interface HookOptions {
  readonly hooks: EventHooks;
  /** Folder of the triggers' secrets; undefined: none is set. */
  readonly secrets: string | undefined;
  /** Callers need no token and no certificate here: a trigger may do without a secret, unless there is a folder of them. */
  readonly isOpen: boolean;
  readonly bodies: Bodies;
  readonly now: () => number;
}

/** Less than the smallest message that a server takes, with its headers. */
const bodyBytesMax = 768 * 1024;
const headersBytesMax = 16 * 1024;
/** Who sends webhooks tells one delivery from another by one of these. */
const deliveryHeaders = ["idempotency-key", "webhook-id", "x-github-delivery", "x-request-id"];
const deliveryMax = 200;
/** What the message keeps, besides what the workflow names and the attributes of a CloudEvent. */
const keptHeaders: ReadonlySet<string> = new Set(["content-type", "traceparent", "tracestate"]);

/** Answers a POST that is for a trigger: 202 once it is durable. `foreign`: why another site's page may be behind it. Never rejects. */
export async function answerHook(
  trigger: string,
  request: IncomingMessage,
  response: ServerResponse,
  foreign: string | undefined,
  { hooks, secrets: folder, isOpen, bodies, now }: HookOptions,
): Promise<void> {
  const refuse = (number: number, message: string, status?: number): void => {
    const error = httpError(number, message, status);
    answerJson(response, error.status, error.body);
  };
  if (request.method !== "POST") return refuse(code.INVALID_ARGUMENT, "a trigger takes POST", 405);
  const found = await hooks.find(trigger).catch(() => "unavailable" as const);
  if (found === "unavailable") return refuse(code.UNAVAILABLE, "nobody can say now whether there is such a trigger");
  if (found === undefined) return refuse(code.NOT_FOUND, "there is no such trigger");
  const secrets = await readHookSecrets(folder, trigger);
  if (secrets.length === 0 && !(isOpen && folder === undefined))
    return refuse(code.UNAUTHENTICATED, "the trigger has no secret here, and takes nothing without: --hook-secrets");
  if (secrets.length === 0 && foreign !== undefined) return refuse(code.PERMISSION_DENIED, foreign);
  const read = await bodies.read(request, bodyBytesMax);
  if (read.kind === "tooLarge") return refuse(code.RESOURCE_EXHAUSTED, `a body has ${bodyBytesMax} bytes at most`, 413);
  if (read.kind !== "body") return refuse(code.UNAVAILABLE, "too much is being read here; send it again");
  const { bytes } = read;
  const signed = { hub: textOf(request, "x-hub-signature-256"), own: textOf(request, "sidestep-signature") };
  const unsigned = secrets.length === 0 ? undefined : whyNotSigned(signed, bytes, secrets, now());
  if (unsigned !== undefined) return refuse(code.UNAUTHENTICATED, unsigned);
  const headers = headersOf(request, new Set([...keptHeaders, ...found.metadata]));
  if (headers === undefined) return refuse(code.RESOURCE_EXHAUSTED, "its headers are too large", 431);
  const id = deliveryOf(request, bytes);
  const put = await hooks.put(trigger, id, { headers, data: bytes });
  if (put.kind === "unavailable") return refuse(code.UNAVAILABLE, put.message);
  answerJson(response, 202, { id });
}

/** The same for what is sent again. */
function deliveryOf(request: IncomingMessage, body: Buffer): string {
  for (const name of deliveryHeaders) {
    const id = textOf(request, name) ?? "";
    if (id !== "") return id.length <= deliveryMax && /^[!-~]+$/.test(id) ? id : sha256(Buffer.from(id));
  }
  const [source, id] = [textOf(request, "ce-source"), textOf(request, "ce-id")];
  if (source !== undefined && id !== undefined) return sha256(Buffer.from(`${source} ${id}`));
  return sha256(body);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Undefined: they are too many. */
function headersOf(request: IncomingMessage, names: ReadonlySet<string>): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  let sizeBytes = 0;
  for (const name of Object.keys(request.headers)) {
    const value = textOf(request, name);
    // Ids of streams, and what else speaks to NATS, is nothing that a stranger says.
    if (value === undefined || name.startsWith("nats-") || !(names.has(name) || name.startsWith("ce-"))) continue;
    sizeBytes += name.length + Buffer.byteLength(value);
    headers.set(name, value);
  }
  return sizeBytes <= headersBytesMax ? headers : undefined;
}

function textOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}
