import { settingsDefault } from "./wire/settings.ts";

/**
 * The table that a peer keeps for what we index. We add nothing to it, yet one that the peer made smaller it wants confirmed at the beginning
 * of the next block (RFC 7541, section 4.2).
 */
export class PeerTable {
  #bytes = settingsDefault.headerTableBytes;
  #isCut = false;

  /** The peer allows so many bytes. */
  allow(bytes: number): void {
    if (bytes >= this.#bytes) return;
    this.#bytes = 0;
    this.#isCut = true;
  }

  /** Whether the next block has to say that the table is empty; asked once for each block. */
  takeCut(): boolean {
    const isCut = this.#isCut;
    this.#isCut = false;
    return isCut;
  }
}
