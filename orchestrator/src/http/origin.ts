import { isIP } from "node:net";

/** What the headers of a request say of the page that made it. */
export interface Requester {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

/**
 * Why a request is refused that another site's page may have made a browser send; undefined: it is ours, or no browser's. `isGuarded` is
 * false where callers need no token: there a name that was made to point here is no name of ours.
 */
export function foreignRequest({ host, origin, fetchSite }: Requester, isGuarded: boolean): string | undefined {
  if (host === undefined) return "a Host header is wanted";
  if (!isGuarded && !isPlainHost(hostName(host)))
    return `${JSON.stringify(host)} is none of the names of this address: use localhost or the address itself`;
  if (origin !== undefined && originHost(origin) !== host.toLowerCase())
    return `pages of ${JSON.stringify(origin.slice(0, 200))} may not call this address: only its own pages may`;
  if (fetchSite === "cross-site" || fetchSite === "same-site") return "pages of other sites may not call this address";
  return undefined;
}

function originHost(origin: string): string | undefined {
  return /^https?:\/\/([^/?#@]+)$/.exec(origin.toLowerCase())?.[1];
}

function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

/** An address, or a name that nobody outside can have in a DNS. */
function isPlainHost(name: string): boolean {
  return isIP(name) !== 0 || name.endsWith(".localhost") || /^[a-z0-9_-]+$/.test(name);
}
