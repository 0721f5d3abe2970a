import { preface } from "../frameWriter.ts";
import { ClientSession } from "../clientSession.ts";
import type { ClientSessionOptions } from "../clientSession.ts";
import type { StreamEnd, StreamSink } from "../clientStream.ts";
import { frameType } from "../wire/frame.ts";
import { settings } from "./frames.ts";
import type { CameFrame } from "./frames.ts";
import { keepSent } from "./keepSent.ts";

/** Keeps what comes on a stream. */
export class Recorder implements StreamSink {
  readonly heads: (number | undefined)[] = [];
  readonly fields = new Map<string, string>();
  readonly pieces: Buffer[] = [];
  readonly ends: StreamEnd[] = [];
  get content(): Buffer {
    return Buffer.concat(this.pieces);
  }
  onHead({ status, fields }: Parameters<StreamSink["onHead"]>[0]): void {
    this.heads.push(status);
    for (const [name, value] of fields) this.fields.set(name, value);
  }
  onContent(piece: Uint8Array): void {
    this.pieces.push(Buffer.from(piece));
  }
  onEnd(end: StreamEnd): void {
    this.ends.push(end);
  }
}

/** A session without a socket: what it sends is kept, what a server says is put in. */
export function openSession(rest: Partial<ClientSessionOptions> = {}) {
  const { options, over, sent } = keepSent(() => session.resume(), preface.length);
  const session = new ClientSession({
    ...options,
    onReady: () => undefined,
    onRoom: () => undefined,
    ...rest,
  });
  return {
    session,
    over,
    sent,
    request: (body: Uint8Array = Buffer.from("hello"), headBytes = 3) => {
      const sink = new Recorder();
      const block = Buffer.alloc(headBytes, 0x83);
      const stream = session.open({ head: block, headBytes, lead: Buffer.alloc(5), body }, sink);
      return { sink, stream };
    },
  };
}

/** One that is ready, its first words read. */
export function readySession(
  pairs: readonly (readonly [number, number])[] = [],
  rest: Partial<ClientSessionOptions> = {},
) {
  const opened = openSession(rest);
  opened.session.receive(settings(...pairs));
  opened.sent();
  return opened;
}

/** Of the DATA frames. */
export function contentBytes(frames: readonly CameFrame[], streamId?: number): number {
  return frames
    .filter((one) => one.type === frameType.DATA && (streamId === undefined || one.streamId === streamId))
    .reduce((sum, one) => sum + one.content.length, 0);
}

/** The types of frames, in their order. */
export function types(frames: readonly CameFrame[]): readonly number[] {
  return frames.map(({ type }) => type);
}
