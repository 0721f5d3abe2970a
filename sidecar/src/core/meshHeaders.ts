/** A header of a call; keys that end in "-bin" have raw bytes. */
export interface MeshHeader {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * What does not pass from one service to another: ours, by which a called service knows runs, attempts and who asks; those of gRPC and of one connection; and names that
 * no header has.
 */
const notCarried =
  /^(?:sidestep-.*|grpc-.*|content-.*|:.*|accept-encoding|connection|expect|host|http2-settings|keep-alive|proxy-.*|te|trailers?|transfer-encoding|upgrade|user-agent)$/;
const keyForm = /^[0-9a-z_.-]+$/;

/** The headers of a call that another service gets. Whoever writes them is not believed: both sides leave out the rest. */
export function carriedHeaders(headers: readonly MeshHeader[]): readonly MeshHeader[] {
  return headers.flatMap(({ key, value }) => {
    const name = key.toLowerCase();
    return keyForm.test(name) && !notCarried.test(name) ? [{ key: name, value }] : [];
  });
}
