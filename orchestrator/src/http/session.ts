import type { IncomingMessage, ServerResponse } from "node:http";
import { code } from "../../../proto/wire/status.ts";
import type { Role } from "../../../runtime/src/tokenFile.ts";
import { answerJson } from "./answers.ts";
import type { Bodies } from "./body.ts";
import { httpError } from "./httpError.ts";
import { parseJson } from "./messageJson.ts";

/** Whom a token belongs to; undefined: nobody. */
export type Authenticate = (token: string) => { readonly name: string; readonly role: Role } | undefined;

export interface SessionOptions {
  /** Undefined: no token is asked for. */
  readonly authenticate: Authenticate | undefined;
  /** What a role may call. */
  readonly methodsFor: (role: Role) => readonly string[];
  readonly isSecure: boolean;
  readonly bodies: Bodies;
}

/** Where the console signs in: POST {"token"}, GET says who one is, DELETE signs out. */
export const sessionPath = "/session";

const cookieName = "sidestep_session";
const sessionSeconds = 12 * 3600;
const bodyBytesMax = 4_096;

/** The token that a browser's cookie holds. */
export function tokenOfCookie(request: IncomingMessage): string | undefined {
  return new RegExp(`(?:^|; *)${cookieName}=([\\w-]+)`).exec(request.headers.cookie ?? "")?.[1];
}

/** Answers a request for /session. Never rejects. */
export async function answerSession(
  request: IncomingMessage,
  response: ServerResponse,
  { authenticate, methodsFor, isSecure, bodies }: SessionOptions,
): Promise<void> {
  const cookie = (token: string, seconds: number): ReadonlyMap<string, string> => {
    const parts = [`${cookieName}=${token}`, "Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${seconds}`];
    return new Map([["set-cookie", [...parts, ...(isSecure ? ["Secure"] : [])].join("; ")]]);
  };
  const refuse = (number: number, message: string, status?: number): void => {
    const error = httpError(number, message, status);
    answerJson(response, error.status, error.body);
  };
  switch (request.method) {
    case "GET": {
      const token = tokenOfCookie(request);
      const holder = token === undefined ? undefined : authenticate?.(token);
      return answerJson(response, 200, { needsToken: authenticate !== undefined, ...shown(holder, methodsFor) });
    }
    case "POST": {
      if (!(request.headers["content-type"] ?? "").startsWith("application/json"))
        return refuse(code.INVALID_ARGUMENT, "content-type: application/json is expected", 415);
      const body = await bodies.read(request, bodyBytesMax);
      const parsed = parseJson(body.kind === "body" ? body.bytes.toString() : "");
      const given = parsed.kind === "json" ? parsed.json : {};
      const token = typeof given === "object" && given !== null && "token" in given ? given["token"] : undefined;
      const holder = typeof token === "string" && /^[\w-]+$/.test(token) ? authenticate?.(token) : undefined;
      if (typeof token !== "string" || holder === undefined)
        return refuse(code.UNAUTHENTICATED, "the token is none of this orchestrator's");
      return answerJson(
        response,
        200,
        { needsToken: true, ...shown(holder, methodsFor) },
        cookie(token, sessionSeconds),
      );
    }
    case "DELETE":
      return answerJson(response, 200, { needsToken: authenticate !== undefined }, cookie("", 0));
    case undefined:
    default:
      return refuse(code.UNIMPLEMENTED, "GET, POST or DELETE is expected", 405);
  }
}

function shown(holder: ReturnType<Authenticate>, methodsFor: SessionOptions["methodsFor"]): object {
  return holder === undefined ? {} : { name: holder.name, role: holder.role, may: methodsFor(holder.role) };
}
