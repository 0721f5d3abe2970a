import { ReceiveWindow } from "./receiveWindow.ts";
import type { Sending } from "./sendQueue.ts";
import type { RequestHead } from "./wire/requestHead.ts";

/** What a request begins with. */
export type IncomingRequest = Extract<RequestHead, { readonly kind: "request" }>;

/** Who is told what comes of a request after its headers. */
export interface RequestSink {
  /** It lies in memory that is used again: to be copied by who keeps it. */
  onContent(piece: Uint8Array): void;
  /** The request is whole. */
  onWhole(): void;
  /** All content of the answer that waited has gone out; told once for each time that something had to wait. */
  onSent(): void;
  /** Answered, broken off, or the connection is gone: nothing comes any more, and nothing can be said. Last, and once. */
  onOver(): void;
}

/** What one request, and its answer, hold while the stream is open. */
export class ServerStream implements Sending {
  readonly id: number;
  readonly receiveWindow: ReceiveWindow;
  sendWindow: number;
  unsent: readonly Uint8Array[] = [];
  isInTurn = false;
  /** Trailers follow it. */
  readonly endsWithContent = false;
  sink: RequestSink = nobody;
  isRequestWhole = false;
  isOver = false;
  beganMs = 0;
  /** Goes out after the content. */
  trailers: Uint8Array | undefined;
  /** What `content-length` announced, less what came. */
  announcedLeft: number | undefined;

  constructor(id: number, sendWindow: number, receiveBytes: number, announcedLeft: number | undefined) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = new ReceiveWindow(receiveBytes);
    this.announcedLeft = announcedLeft;
  }
}

/** Until somebody has taken the request. */
const nobody: RequestSink = {
  onContent: () => undefined,
  onWhole: () => undefined,
  onSent: () => undefined,
  onOver: () => undefined,
};
