import { errorCode, frameBytesDefault, Http2Error, uint31Max, uint32At } from "./frame.ts";

/** Names of settings (RFC 9113, section 6.5.2). */
export const setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

const settingBytes = 6;
const frameBytesMax = 0xff_ffff;

/** What a peer takes. */
export type PeerSettings = {
  readonly headerTableBytes: number;
  readonly streamsMax: number;
  readonly windowBytes: number;
  readonly frameBytes: number;
  readonly headerListBytes: number;
};

/** Until the peer says otherwise. */
export const settingsDefault: PeerSettings = {
  headerTableBytes: 4_096,
  streamsMax: Number.POSITIVE_INFINITY,
  windowBytes: 65_535,
  frameBytes: frameBytesDefault,
  headerListBytes: Number.POSITIVE_INFINITY,
};

/** Who sent settings: a server may not take pushes. */
export type PeerRole = "client" | "server";

/** The settings after a SETTINGS frame. Throws `Http2Error` for values that are none. */
export function readSettings(before: PeerSettings, content: Uint8Array, role: PeerRole): PeerSettings {
  let after = before;
  for (let at = 0; at + settingBytes <= content.length; at += settingBytes) {
    const name = ((content[at] ?? 0) << 8) | (content[at + 1] ?? 0);
    after = changed(after, name, uint32At(content, at + 2), role);
  }
  return after;
}

function changed(before: PeerSettings, name: number, value: number, role: PeerRole): PeerSettings {
  switch (name) {
    case setting.HEADER_TABLE_SIZE:
      return { ...before, headerTableBytes: value };
    case setting.ENABLE_PUSH:
      if (value > (role === "client" ? 1 : 0)) throw wrong(errorCode.PROTOCOL_ERROR, "ENABLE_PUSH", value);
      return before;
    case setting.MAX_CONCURRENT_STREAMS:
      return { ...before, streamsMax: value };
    case setting.INITIAL_WINDOW_SIZE:
      if (value > uint31Max) throw wrong(errorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE", value);
      return { ...before, windowBytes: value };
    case setting.MAX_FRAME_SIZE:
      if (value < frameBytesDefault || value > frameBytesMax)
        throw wrong(errorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE", value);
      return { ...before, frameBytes: value };
    case setting.MAX_HEADER_LIST_SIZE:
      return { ...before, headerListBytes: value };
    default:
      return before;
  }
}

function wrong(code: number, name: string, value: number): Http2Error {
  return new Http2Error(code, `the setting ${name} can't be ${value}`);
}
