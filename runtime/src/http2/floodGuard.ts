import { errorCode, Http2Error } from "./wire/frame.ts";

const idleFramesMax = 1_000;
const withinMs = 10_000;
/** What we did may explain so many frames at the most. */
const allowedMax = 300_000;

/**
 * Bounds what a peer can make us do for nothing: pings, settings, empty frames, frames of streams that are over. A thousand in ten seconds
 * with no call getting on are no use to anybody.
 */
export class FloodGuard {
  readonly #now: () => number;
  /** Negative: so many more are no wonder. */
  #count = 0;
  #sinceMs: number;
  /** Of content, when the peer last opened a window. */
  #sentCount = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#sinceMs = now();
  }

  /** A call got on. */
  calm(): void {
    if (this.#count > 0) this.#count = 0;
  }

  /** The peer has opened a window, and `sentCount` pieces of content have gone out so far. One that brings nothing on, also where something waits, is worth as little as a ping. Throws as `idle`. */
  opened(sentCount: number): void {
    if (sentCount === this.#sentCount) this.idle();
    else this.calm();
    this.#sentCount = sentCount;
  }

  /** So many idle frames may come because of what we did. */
  allow(frames: number): void {
    this.#count = Math.max(this.#count - frames, -allowedMax);
  }

  /** A frame came that brings no call on. Throws `Http2Error` when there are too many. */
  idle(): void {
    this.#count += 1;
    if (this.#count <= idleFramesMax) return;
    const now = this.#now();
    if (now - this.#sinceMs < withinMs)
      throw new Http2Error(errorCode.ENHANCE_YOUR_CALM, `${idleFramesMax} frames in ${withinMs} ms brought no call on`);
    this.#count = 0;
    this.#sinceMs = now;
  }
}
