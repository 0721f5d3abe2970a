import { writeSettingsAck } from "./frameWriter.ts";
import type { Outbox } from "./outbox.ts";
import type { PeerTable } from "./peerTable.ts";
import type { Sending, SendQueue } from "./sendQueue.ts";
import type { StreamTable } from "./streamTable.ts";
import { errorCode, Http2Error, uint31Max } from "./wire/frame.ts";
import { readSettings } from "./wire/settings.ts";
import type { PeerRole, PeerSettings } from "./wire/settings.ts";

/** What a peer's settings bear upon. */
export type SettingsGround<T extends Sending> = {
  readonly outbox: Outbox;
  readonly streams: StreamTable<T>;
  readonly sendQueue: SendQueue<T>;
  readonly peerTable: PeerTable;
};

/** Goes over to what a SETTINGS frame of the peer says, confirms it, and returns what holds now. Streams that may send more are to be given a turn. Throws `Http2Error`. */
export function takeSettings<T extends Sending>(
  content: Uint8Array,
  role: PeerRole,
  before: PeerSettings,
  { outbox, streams, sendQueue, peerTable }: SettingsGround<T>,
): PeerSettings {
  const after = readSettings(before, content, role);
  peerTable.allow(after.headerTableBytes);
  sendQueue.limitFrames(after.frameBytes);
  changeWindows(streams, after.windowBytes - before.windowBytes);
  writeSettingsAck(outbox);
  return after;
}

/** The peer's settings make the windows of all open streams larger or smaller (RFC 9113, section 6.9.2). */
function changeWindows(streams: StreamTable<Sending>, changeBytes: number): void {
  if (changeBytes === 0) return;
  for (const stream of streams.values()) {
    stream.sendWindow += changeBytes;
    if (stream.sendWindow > uint31Max)
      throw new Http2Error(errorCode.FLOW_CONTROL_ERROR, "a stream's window overflows");
  }
}
