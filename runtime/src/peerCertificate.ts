import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "node:tls";

/** The certificate that a client has shown; undefined: none, or none that is good. */
export function peerCertificate(socket: Duplex): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  return Object.keys(certificate).length === 0 ? undefined : certificate;
}
