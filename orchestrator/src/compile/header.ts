import {
  attemptHeader,
  compensatesHeader,
  idempotencyKeyHeader,
  runIdHeader,
  stepHeader,
  traceparentHeader,
  tracestateHeader,
} from "../../../proto/wire/headers.ts";
import type { CompileLimits } from "./limits.ts";

/** Why a name can't be used, and what to do. */
export interface WrongHeader {
  readonly message: string;
  readonly hint: string;
}

const ours: ReadonlySet<string> = new Set([
  attemptHeader,
  compensatesHeader,
  idempotencyKeyHeader,
  runIdHeader,
  stepHeader,
  traceparentHeader,
  tracestateHeader,
]);

const ofTheTransport: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);

/** Why a call can't set the header; undefined when it can. */
export function whyNotAHeader(name: string, limits: CompileLimits): WrongHeader | undefined {
  if (ours.has(name) || name.startsWith("sidestep-")) {
    return { message: `header '${name}' is set by Sidestep itself`, hint: "leave it out, or choose another name" };
  }
  return whyNotMetadata(name, limits);
}

/** Why a header of the caller can't be read; undefined when it can. */
export function whyNotMetadata(name: string, limits: CompileLimits): WrongHeader | undefined {
  if (name === "") return { message: "the name of the header is empty", hint: 'name it, like "x-tenant"' };
  if (name !== name.toLowerCase()) {
    return { message: `header '${name}' must be lower case`, hint: `write "${name.toLowerCase()}"` };
  }
  if (!/^[0-9a-z_.-]+$/.test(name)) {
    return { message: `'${name}' is not the name of a header`, hint: "letters, digits, '-', '_' and '.' make one" };
  }
  if (name.length > limits.nameLengthMax) {
    return {
      message: `the name has ${name.length} characters, the limit is ${limits.nameLengthMax}`,
      hint: "shorten it",
    };
  }
  if (name.startsWith("grpc-") || ofTheTransport.has(name)) {
    return { message: `header '${name}' belongs to gRPC`, hint: "leave it out, or choose another name" };
  }
  if (name.endsWith("-bin")) {
    return {
      message: `header '${name}' is binary, only text can be used`,
      hint: "choose a name that doesn't end in -bin",
    };
  }
  return undefined;
}
