import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { code } from "../../../proto/wire/status.ts";
import type { AnswerWriter } from "../../../runtime/src/grpc/answerWriter.ts";
import { openCallFrames } from "../../../runtime/src/grpc/callFrames.ts";
import type { CallFrame } from "../../../runtime/src/grpc/callFrames.ts";
import { MessageReader } from "../../../runtime/src/grpc/messageReader.ts";
import type { Unpacker } from "../../../runtime/src/grpc/unpacker.ts";
import type { RequestSink } from "../../../runtime/src/http2/serverStream.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { LocalAbout, LocalEnd, LocalSink } from "./localCall.ts";
import type { LocalRpc } from "./rpcs.ts";

/** What a call has around it. */
export interface CallGround {
  readonly about: LocalAbout;
  readonly answer: AnswerWriter;
  readonly messageBytesMax: number;
  /** Of compressed messages. */
  readonly encoding: string;
  readonly unpacker: Unpacker;
}

const prefixBytes = 5;

/** A call with one request: carried out when that is whole. */
export function askOnce(rpc: Exclude<LocalRpc, { readonly kind: "bidi" }>, ground: CallGround): RequestSink {
  const { about, answer, messageBytesMax } = ground;
  const frames = openCallFrames(messageBytesMax + prefixBytes);
  let giveUp = (): void => undefined;
  const carry = (request: Uint8Array): void => {
    if (answer.isOver()) return;
    try {
      giveUp = rpc.call(request, about, sinkOf(answer));
    } catch (error) {
      refuse(answer, code.INTERNAL, `the request can't be read: ${errorText(error)}`);
    }
  };
  return {
    onContent: (piece) => {
      if (frames.add(piece)) refuse(answer, code.RESOURCE_EXHAUSTED, tooLarge(messageBytesMax));
    },
    onWhole: () => {
      const messages = frames.messages();
      if (messages === undefined) return refuse(answer, code.INTERNAL, "the request ends within a message");
      const { count, first } = messages;
      if (first === undefined || count > 1)
        return refuse(answer, code.UNIMPLEMENTED, `the method takes one message, ${count} came`);
      whole(first, ground, carry);
    },
    onSent: () => answer.sent(),
    onOver: () => {
      answer.sent();
      giveUp();
    },
  };
}

/** Compressed requests that may wait to be unpacked. */
const waitingMax = 1_000;

/** A call whose messages go both ways at the same time. */
export function talk(rpc: Extract<LocalRpc, { readonly kind: "bidi" }>, ground: CallGround): RequestSink {
  const { about, answer, messageBytesMax } = ground;
  const talking = rpc.open(about, sinkOf(answer));
  const waiting: (CallFrame | "whole")[] = [];
  let isUnpacking = false;
  const goOn = (): void => {
    while (!isUnpacking) {
      const next = waiting.shift();
      if (next === undefined) return;
      if (next === "whole") return talking.whole();
      isUnpacking = true;
      whole(next, ground, (bytes) => {
        isUnpacking = false;
        talking.message(bytes);
        goOn();
      });
    }
  };
  const reader = new MessageReader(messageBytesMax, (message) => {
    if (waiting.length >= waitingMax)
      return refuse(answer, code.RESOURCE_EXHAUSTED, `${waitingMax} requests of this call wait`);
    waiting.push(message);
    goOn();
  });
  return {
    onContent: (piece) => {
      if (!reader.take(piece)) refuse(answer, code.RESOURCE_EXHAUSTED, tooLarge(messageBytesMax));
    },
    onWhole: () => {
      if (!reader.isBetween()) return refuse(answer, code.INTERNAL, "the request ends within a message");
      waiting.push("whole");
      goOn();
    },
    onSent: () => answer.sent(),
    onOver: () => {
      answer.sent();
      talking.cancel();
    },
  };
}

/** Hands a message on as it was before it was compressed. */
function whole(
  { isCompressed, bytes }: CallFrame,
  { answer, encoding, unpacker }: CallGround,
  carry: (bytes: Uint8Array) => void,
): void {
  if (!isCompressed) return carry(bytes);
  if (encoding !== "gzip" && encoding !== "deflate")
    return refuse(answer, code.UNIMPLEMENTED, `requests may be compressed by gzip or deflate, not by ${encoding}`);
  unpacker.add({
    bytes,
    encoding,
    isOver: () => answer.isOver(),
    onUnpacked: (unpacked) => {
      if (unpacked instanceof Uint8Array) carry(unpacked);
      else refuse(answer, code.INTERNAL, `the request can't be unpacked: ${unpacked.message}`);
    },
  });
}

function sinkOf(answer: AnswerWriter): LocalSink {
  return {
    headers: (headers) => answer.headers(headers),
    message: (bytes) => answer.message(bytes),
    end: (end) => answer.end({ ...end, details: detailsOf(end) }),
  };
}

function detailsOf({ code: number, message, details }: LocalEnd): Uint8Array {
  return details.length === 0 ? none : RpcStatus.encode({ code: number, message, details: [...details] }).finish();
}

function refuse(answer: AnswerWriter, number: number, message: string): void {
  answer.end({ code: number, message, details: none, trailers: new Map() });
}

function tooLarge(bytesMax: number): string {
  return `the message has more than ${bytesMax} bytes`;
}

const none = new Uint8Array();
