/** Why apt can't be used on this machine, as half a sentence; undefined when it can. */
export function aptObstacle(): string | undefined;
/** The Debian mirror named in the apt sources below `etc`, one-line or deb822; deb.debian.org when there is none. */
export function debianMirror(etc?: string): string;
