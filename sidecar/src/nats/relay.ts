import { randomBytes } from "node:crypto";
import { createInbox } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import { RelayCall, RelayReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import type { RelayReply_End } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { fromHeader, runIdHeader, runProofHeader } from "../../../proto/wire/headers.ts";
import { relayHoldMs, relayPartBytes } from "../../../proto/wire/relay.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Payloads } from "../../../runtime/src/payloads.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { growingPause } from "../../../runtime/src/pause.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallAnswer, IncomingCall } from "../wayIn.ts";

export interface RelayOptions {
  readonly nats: Nats;
  readonly names: Names;
  readonly payloads: Pick<Payloads, "put">;
}

/** The way to the rpcs of whatever orchestrator there is. */
export interface Relay extends Disposable {
  /** Carries a call out in the name of a service; the function that is returned gives it up: a run that has begun goes on. */
  carry(service: string, call: IncomingCall, answer: CallAnswer): () => void;
  /** Sends away who waits for a run, as soon as that has begun: it goes on. */
  leave(): void;
}

/** An orchestrator that says nothing for longer is gone: it holds a call for 10 s, and takes some more to begin one. */
const silenceMs = relayHoldMs + 5_000;
/** Without an orchestrator a call waits so long for one. */
const absenceMsMax = 10_000;
const noResponders = 503;

/** Opens it, over a connection that lives longer. */
export function openRelay(options: RelayOptions): Relay {
  const { connection } = options.nats;
  const inbox = createInbox();
  const asked = new Map<string, (message: Msg) => void>();
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error === null) asked.get(message.subject)?.(message);
    },
  });
  const carried = new Set<Relayed>();
  let isLeaving = false;
  let asks = 0;
  /** Asks once; returns how to hear no more of it. */
  const ask = (subject: string, data: Uint8Array, onReply: (message: Msg) => void): (() => void) => {
    const reply = `${inbox}.${(asks++).toString(36)}`;
    asked.set(reply, onReply);
    connection.publish(subject, data, { reply });
    return () => void asked.delete(reply);
  };
  return {
    carry: (service, call, answer) => {
      const onOver = (): void => void carried.delete(relayed);
      const relayed = new Relayed(service, call, answer, { ...options, ask, onOver, isLeaving: () => isLeaving });
      carried.add(relayed);
      relayed.begin();
      return () => relayed.giveUp();
    },
    leave: () => {
      isLeaving = true;
      for (const relayed of carried) relayed.leave();
    },
    [Symbol.dispose]: () => {
      if (!connection.isClosed()) subscription.unsubscribe();
    },
  };
}

interface Ground extends RelayOptions {
  readonly isLeaving: () => boolean;
  readonly onOver: () => void;
  readonly ask: (subject: string, data: Uint8Array, onReply: (message: Msg) => void) => () => void;
}

/** One call, asked for again and again until it has ended. */
class Relayed {
  readonly #service: string;
  readonly #call: IncomingCall;
  readonly #answer: CallAnswer;
  readonly #ground: Ground;
  readonly #over = new AbortController();
  readonly #absentUntilMs = performance.now() + absenceMsMax;
  readonly #nextPauseMs = growingPause(50, 1_000);
  #runId: string | undefined;
  #proof = "";
  /** Number of the next message of a stream; undefined: it is none. */
  #next: number | undefined;
  #parts: Uint8Array[] = [];
  #hasMessage = false;
  /** Messages that the caller has not taken. */
  #taken: Promise<void> = Promise.resolve();
  #forget = (): void => undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(service: string, call: IncomingCall, answer: CallAnswer, ground: Ground) {
    this.#service = service;
    this.#call = call;
    this.#answer = answer;
    this.#ground = ground;
  }

  begin(): void {
    this.#toBegin().then(
      (data) => this.#ask(data),
      (error: unknown) => this.#fail(code.UNAVAILABLE, `the request can't be kept: ${errorText(error)}`),
    );
  }

  leave(): void {
    if (this.#runId === undefined) return;
    const again = "call again with the same key, or wait with sidestep.v1.Runs/Wait";
    this.#fail(code.UNAVAILABLE, `the sidecar shuts down; the run ${this.#runId} goes on: ${again}`);
  }

  giveUp(): void {
    this.#over.abort();
    this.#ground.onOver();
    this.#rest();
  }

  /** A request that is too large for a message is kept apart, under the id of no run. */
  async #toBegin(): Promise<Uint8Array> {
    const { method, request, headers } = this.#call;
    const isLarge = request.length > relayPartBytes;
    const keptAs = `ffff${randomBytes(14).toString("hex")}`;
    const requestPayload = isLarge
      ? await this.#ground.payloads.put(this.#service, keptAs, request, this.#over.signal)
      : undefined;
    const texts = headers.filter(({ key }) => !key.endsWith("-bin"));
    const value = {
      method,
      request: isLarge ? new Uint8Array() : request,
      requestPayload,
      headers: Object.fromEntries(texts.map(({ key, value: bytes }) => [key, Buffer.from(bytes).toString("latin1")])),
      timeoutMs: Math.min(this.#call.leftMs() ?? 0, 0xffff_ffff),
    };
    return RelayCall.encode({ kind: { $case: "begin", value } }).finish();
  }

  #toResume(runId: string): Uint8Array {
    const value = {
      runId: fromHex(runId),
      streams: this.#next !== undefined,
      from: this.#next ?? 0,
      proof: this.#proof,
    };
    return RelayCall.encode({ kind: { $case: "resume", value } }).finish();
  }

  #ask(data: Uint8Array): void {
    if (this.#over.signal.aborted) return;
    const { nats, names, ask } = this.#ground;
    if (!nats.isConnected()) return this.#askLater(data, "there is no connection to NATS");
    this.#parts = [];
    this.#forget();
    this.#forget = ask(names.relaySubject(this.#service), data, (message) => {
      if (this.#over.signal.aborted) return;
      if (message.headers?.code === noResponders) return this.#askLater(data, "no orchestrator is there");
      this.#listen();
      this.#take(message.data);
    });
    this.#listen();
  }

  /** Nobody has taken it: it can be asked for again. */
  #askLater(data: Uint8Array, why: string): void {
    this.#rest();
    if (performance.now() > this.#absentUntilMs && this.#runId === undefined)
      return this.#fail(code.UNAVAILABLE, `nothing was begun: ${why}`);
    this.#timer = setTimeout(() => this.#ask(data), this.#nextPauseMs());
  }

  #listen(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#silent(), silenceMs);
  }

  #silent(): void {
    if (this.#runId !== undefined) return this.#ask(this.#toResume(this.#runId));
    const again = "call again with the same key or idempotency-key to join what may have begun";
    this.#fail(code.UNAVAILABLE, `the orchestrator did not answer; ${again}`);
  }

  #take(data: Uint8Array): void {
    const { kind } = RelayReply.decode(data);
    switch (kind?.$case) {
      case undefined:
        return;
      case "headers": {
        const headers = new Map(Object.entries(kind.value.headers));
        this.#runId = headers.get(runIdHeader);
        this.#proof = headers.get(runProofHeader) ?? "";
        const from = headers.get(fromHeader);
        if (from !== undefined) this.#next = Number(from);
        this.#answer.headers(headers);
        return this.#ground.isLeaving() ? this.leave() : undefined;
      }
      case "part":
        this.#parts.push(kind.value.bytes);
        return kind.value.isLast ? this.#message() : undefined;
      case "end":
        this.#rest();
        return void this.#taken.then(() => this.#end(kind.value));
      case "again": {
        const runId = this.#runId;
        this.#rest();
        // More comes once what is there has been taken.
        if (runId !== undefined) void this.#taken.then(() => this.#ask(this.#toResume(runId)));
      }
    }
  }

  /** Nothing comes until it is asked for again, however long the caller takes. */
  #rest(): void {
    clearTimeout(this.#timer);
    this.#forget();
  }

  #message(): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    // Whoever is asked after the end got lost brings the one answer again.
    if (this.#next === undefined && this.#hasMessage) return;
    this.#hasMessage = true;
    if (this.#next !== undefined) this.#next++;
    if (bytes !== undefined) this.#taken = this.#taken.then(() => this.#answer.message(bytes));
  }

  #end({ code: number, message, details, trailers }: RelayReply_End): void {
    if (this.#over.signal.aborted) return;
    this.giveUp();
    this.#answer.end({ code: number, message, details, trailers: new Map(Object.entries(trailers)) });
  }

  #fail(number: number, message: string): void {
    if (this.#over.signal.aborted) return;
    this.giveUp();
    this.#answer.end(failedEnd(number, message));
  }
}
