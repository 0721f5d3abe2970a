import { PayloadRef } from "../gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../gen/sidestep/internal/v1/event.ts";
import type { Task } from "../gen/sidestep/internal/v1/task.ts";
import { openCopies } from "./copies.ts";

/** A task before it is bytes; its headers are text. */
export interface TaskText extends Omit<Task, "headers" | "_unknownFields"> {
  readonly headers: readonly HeaderText[];
}

/** A header of a task: what it says, or the sidecar's secret that says it. */
export type HeaderText =
  | { readonly key: string; readonly value: string }
  | { readonly key: string; readonly secret: string };

/** Room for the fields of a known size. */
const plainBytes = 256;
/** The buffer of a larger task is not kept. */
const keptBytesMax = 1 << 20;
const utf8 = new TextEncoder();

/**
 * Makes the bytes of tasks, those that Task.encode makes: fields in number order, defaults left out. An orchestrator does so for every step, and the
 * bytes of each header as an object of its own, a BigInt for each number and a check for each byte were most of what that took.
 */
export class TaskEncoder {
  #bytes = new Uint8Array(1_024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  readonly #copy = openCopies();

  readonly toBytes = (task: TaskText): Uint8Array => {
    this.#reserve(sizeMax(task));
    this.#at = 0;
    this.#bytesField(10, task.runId);
    this.#number(16, task.partition);
    if (task.attempt !== undefined) this.#attempt(task.attempt);
    this.#text(34, task.method);
    this.#bytesField(42, task.request);
    for (const header of task.headers) this.#header(header);
    this.#number(56, task.timeoutMs);
    this.#bytesField(66, task.token);
    this.#number(72, task.issuedAtSequence);
    this.#double(81, task.issuedAtMs);
    this.#number(88, Number(task.recheck));
    this.#number(96, Number(task.claim));
    this.#number(104, Number(task.serverStreaming));
    this.#number(112, task.messagesMax);
    this.#number(120, task.bytesMax);
    if (task.requestPayload !== undefined) {
      this.#tag(130);
      this.#delimited(PayloadRef.encode(task.requestPayload).finish());
    }
    this.#number(136, task.inlineBytesMax);
    this.#bytesField(146, task.plan);
    const made = this.#copy(this.#bytes.subarray(0, this.#at));
    if (this.#bytes.length > keptBytesMax) this.#take(1_024);
    return made;
  };

  #reserve(size: number): void {
    if (size > this.#bytes.length) this.#take(Math.max(size, 2 * this.#bytes.length));
  }

  #take(size: number): void {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #attempt({ step, generation, phase, attempt }: AttemptId): void {
    const begin = this.#begin(26);
    this.#text(10, step);
    this.#number(16, generation);
    this.#number(24, phase);
    this.#number(32, attempt);
    this.#end(begin);
  }

  #header(header: HeaderText): void {
    const begin = this.#begin(50);
    this.#text(10, header.key);
    if ("secret" in header) this.#text(26, header.secret);
    else this.#text(18, header.value);
    this.#end(begin);
  }

  /** A message inside; its length is known at its end. */
  #begin(tag: number): number {
    this.#tag(tag);
    return this.#at++;
  }

  #end(begin: number): void {
    const length = this.#at - begin - 1;
    if (length >= 0x80) {
      const more = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : 3;
      this.#bytes.copyWithin(begin + 1 + more, begin + 1, this.#at);
    }
    this.#at = begin;
    this.#varint(length);
    this.#at += length;
  }

  #tag(tag: number): void {
    this.#varint(tag);
  }

  #number(tag: number, value: number): void {
    if (value === 0) return;
    this.#tag(tag);
    this.#varint(value);
  }

  #double(tag: number, value: number): void {
    if (value === 0) return;
    this.#tag(tag);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #text(tag: number, text: string): void {
    if (text === "") return;
    this.#tag(tag);
    const { length } = text;
    if (length >= 0x80) return this.#delimited(utf8.encode(text));
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return this.#delimited(utf8.encode(text));
      bytes[at++] = code;
    }
    this.#at = at;
  }

  #bytesField(tag: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.#tag(tag);
    this.#delimited(value);
  }

  #delimited(value: Uint8Array): void {
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#at++] = rest;
  }
}

/** No character takes more than three bytes for each of its units. */
function sizeMax({ runId, attempt, method, request, headers, token, requestPayload, plan }: TaskText): number {
  let units = method.length + (attempt?.step.length ?? 0);
  for (const header of headers)
    units += header.key.length + ("secret" in header ? header.secret : header.value).length + 6;
  if (requestPayload !== undefined) units += PayloadRef.encode(requestPayload).finish().length;
  return plainBytes + runId.length + request.length + token.length + plan.length + 3 * units;
}
