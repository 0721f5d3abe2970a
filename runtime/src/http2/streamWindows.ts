import type { StreamTable } from "./streamTable.ts";
import { errorCode, Http2Error, uint31Max } from "./wire/frame.ts";

/** The peer's settings make the windows of all open streams larger or smaller (RFC 9113, section 6.9.2). Throws `Http2Error`. */
export function changeWindows(
  streams: StreamTable<{ readonly id: number; sendWindow: number }>,
  changeBytes: number,
): void {
  if (changeBytes === 0) return;
  for (const stream of streams.values()) {
    stream.sendWindow += changeBytes;
    if (stream.sendWindow > uint31Max)
      throw new Http2Error(errorCode.FLOW_CONTROL_ERROR, "a stream's window overflows");
  }
}
