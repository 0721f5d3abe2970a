import type { PeerCertificate } from "node:tls";
import type { Metadata } from "@grpc/grpc-js";
import { actorHeader, roleHeader } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { roles } from "../../../runtime/src/tokenFile.ts";
import type { Role } from "../../../runtime/src/tokenFile.ts";
import type { Failure } from "./failure.ts";
import { mayCall, needsOf } from "./roles.ts";

/** Whom a token belongs to; undefined: nobody. */
export type Authenticate = (token: string) => { readonly name: string; readonly role: Role } | undefined;

/** A call as far as it says who makes it. */
interface Calling {
  readonly metadata: Metadata;
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** Why a call is refused; undefined: it may go on, and its metadata says who makes it. */
export type Admit = (path: string, call: Calling) => Failure | undefined;

/** Lets in who has a token of the role that a method needs. Without tokens everybody is let in, under the name of their certificate. */
export function newAdmit(authenticate: Authenticate | undefined): Admit {
  return (path, call) => {
    const { metadata } = call;
    if (authenticate === undefined) {
      const certificate = call.getAuthContext().sslPeerCertificate;
      metadata.remove(roleHeader);
      if (certificate === undefined) return undefined;
      // Who shows a certificate is whom it names, or nobody by name: never who the call says.
      metadata.remove(actorHeader);
      const name = certificate.subject?.CN;
      if (name !== undefined && /^[ -~]+$/.test(name)) metadata.set(actorHeader, name);
      return undefined;
    }
    const method = path.slice(1);
    const needs = needsOf(method);
    const given = /^Bearer +(\S+)$/i.exec(String(metadata.get("authorization")[0] ?? ""))?.[1];
    const caller = given === undefined ? undefined : authenticate(given);
    // It lets in here: no workflow may carry it on, into a history or to a service.
    metadata.remove("authorization");
    metadata.remove(actorHeader);
    metadata.remove(roleHeader);
    if (caller === undefined) return needs === "open" ? undefined : unauthenticated(given !== undefined);
    metadata.set(actorHeader, caller.name);
    metadata.set(roleHeader, caller.role);
    return mayCall(caller.role, needs) ? undefined : forbidden(method, caller, needs === "open" ? [] : needs);
  };
}

/** Who makes a call: the holder of its token or certificate; without either, who it says it is. */
export function actorOf(metadata: Metadata): string {
  const [actor] = metadata.get(actorHeader);
  return typeof actor === "string" ? actor.slice(0, actorLengthMax) : "";
}

/** Whose word somebody's decision is: with tokens it is the token's holder's, and another name takes an admin. */
export function mayDecideAs(by: string, metadata: Metadata): boolean {
  const [role] = metadata.get(roleHeader);
  return role === undefined || role === "admin" || by === actorOf(metadata);
}

/** Why somebody may not do by a method what another one is for; undefined: he may. */
export function refusalOf(method: string, metadata: Metadata): Failure | undefined {
  const role = roles.find((one) => one === metadata.get(roleHeader)[0]);
  const needs = needsOf(method);
  if (role === undefined || needs === "open" || mayCall(role, needs)) return undefined;
  return forbidden(method, { name: actorOf(metadata), role }, needs);
}

const actorLengthMax = 200;

/** The headers of a call that a service's sidecar brings: in the service's name, which NATS's accounts vouch for, and with the role of a caller. */
export function headersOfService(service: string, headers: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  // A sidecar may be anybody's: what is written otherwise is the same header to who reads it.
  const own = new Map([...headers].map(([key, value]) => [key.toLowerCase(), value]));
  own.delete("authorization");
  return own.set(actorHeader, service).set(roleHeader, "caller" satisfies Role);
}

function unauthenticated(isGiven: boolean): Failure {
  return {
    code: code.UNAUTHENTICATED,
    message: isGiven
      ? "the token is none of this orchestrator's (--tokens)"
      : "a token is wanted: `authorization: Bearer <token>`; on the command line --token or SIDESTEP_TOKEN",
    reason: isGiven ? "UNKNOWN_TOKEN" : "NO_TOKEN",
  };
}

function forbidden(
  method: string,
  { name, role }: { readonly name: string; readonly role: Role },
  needs: readonly Role[],
): Failure {
  return {
    code: code.PERMISSION_DENIED,
    message: `${name} has the role ${role}; ${method} takes ${needs.join(" or ")}`,
    reason: "ROLE_TOO_LOW",
    metadata: { role, needs: needs.join() },
  };
}
