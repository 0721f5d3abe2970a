import { ReceiveWindow } from "./receiveWindow.ts";
import type { Sending } from "./sendQueue.ts";
import type { AnswerHead } from "./wire/answerHead.ts";

/** How a stream came to its end. */
export type StreamEnd =
  /** The server said all it had to say. */
  | { readonly kind: "ended" }
  /** The server broke it off with a code of RST_STREAM. */
  | { readonly kind: "reset"; readonly code: number }
  /** The server has certainly not looked at it: it refused the stream, or went away before it. */
  | { readonly kind: "unprocessed"; readonly isRefused: boolean }
  /** We broke it off: what came is against HTTP/2, or its headers are too large. */
  | { readonly kind: "broken"; readonly isTooLarge: boolean; readonly message: string }
  /** The connection is gone. */
  | { readonly kind: "lost"; readonly message: string };

/** Headers or trailers that came on a stream. */
export type StreamHead = Extract<AnswerHead, { readonly kind: "head" }>;

/** Who is told what comes on a stream; the end comes last, and once. */
export interface StreamSink {
  onHead(head: StreamHead): void;
  onContent(piece: Uint8Array): void;
  onEnd(end: StreamEnd): void;
}

/** What one stream holds while it is open. */
export class ClientStream implements Sending {
  readonly id: number;
  readonly sink: StreamSink;
  readonly receiveWindow: ReceiveWindow;
  /** What the peer still takes; negative after it has made its windows smaller. */
  sendWindow: number;
  /** The rest of the request, no piece of it empty. */
  unsent: readonly Uint8Array[] = [];
  isInTurn = false;
  readonly endsWithContent = true;
  hasHead = false;
  /** What `content-length` announced, less what came. */
  announcedLeft: number | undefined;

  constructor(id: number, sink: StreamSink, sendWindow: number, receiveBytes: number) {
    this.id = id;
    this.sink = sink;
    this.sendWindow = sendWindow;
    this.receiveWindow = new ReceiveWindow(receiveBytes);
  }
}
