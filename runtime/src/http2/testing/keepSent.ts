import { Outbox } from "../outbox.ts";
import { framesIn } from "./frames.ts";
import type { CameFrame } from "./frames.ts";

/** What a session without a socket has around it, as far as both sides are alike: what it sends is kept. */
export function keepSent(resume: () => void, skippedBytes = 0) {
  let sent: Buffer = Buffer.alloc(0);
  let read = skippedBytes;
  const over: string[] = [];
  const outbox = new Outbox((pieces) => {
    sent = Buffer.concat([sent, ...pieces]);
    return true;
  }, resume);
  return {
    options: { outbox, unwrittenBytes: () => 0, now: () => 0, onOver: (text: string) => void over.push(text) },
    over,
    /** What it has sent since the last look; all that it can send now. */
    sent: (): readonly CameFrame[] => {
      for (let before = -1; before !== sent.length;) {
        before = sent.length;
        outbox.flush();
      }
      const frames = framesIn(sent.subarray(read));
      read = sent.length;
      return frames;
    },
  };
}
