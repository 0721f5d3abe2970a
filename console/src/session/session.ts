import { useSyncExternalStore } from "react";
import { object, text, texts, truth } from "../api/json.ts";
import type { Json } from "../api/json.ts";

/** Who is at the console. */
export type Session =
  /** Not known yet. */
  | { readonly kind: "asking" }
  /** No token is asked for: everybody may do everything. */
  | { readonly kind: "open" }
  /** `isOver`: somebody was signed in, whose token counts no more. */
  | { readonly kind: "out"; readonly isOver: boolean }
  | { readonly kind: "in"; readonly name: string; readonly role: string; readonly may: ReadonlySet<string> };

const path = "/session";
let session: Session = { kind: "asking" };
const watchers = new Set<() => void>();

function tell(next: Session): void {
  session = next;
  watchers.forEach((changed) => changed());
}

/** Who is at the console, as it changes. */
export function useSession(): Session {
  return useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
    () => session,
  );
}

/** Why whoever is here may not call a method; undefined: they may. */
export function useRefusal(method: string): string | undefined {
  const now = useSession();
  if (now.kind !== "in" || now.may.has(method)) return undefined;
  return `${now.name} has the role ${now.role}, which may not do this`;
}

/** Asks who is at the console. While the orchestrator does not answer its pages say so. */
export async function askSession(): Promise<void> {
  try {
    const response = await fetch(path);
    if (!response.ok) return tell({ kind: "open" });
    const answer: Json = await response.json();
    tell(toSession(answer));
  } catch {
    tell({ kind: "open" });
  }
}

/** Signs in; gives why not. The token goes into a cookie that no script can read. */
export async function signIn(token: string): Promise<string | undefined> {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify({ token }) });
    const answer: Json = await response.json();
    if (!response.ok) return text(object(answer), "message") || `the orchestrator answered with ${response.status}`;
    tell(toSession(answer));
    return undefined;
  } catch {
    return "the orchestrator does not answer";
  }
}

/** Signs out, and forgets what was shown. */
export async function signOut(): Promise<void> {
  await fetch(path, { method: "DELETE" });
  location.reload();
}

/** A call was refused for want of a token that counts. */
export function sessionIsOver(): void {
  if (session.kind !== "out") tell({ kind: "out", isOver: session.kind === "in" });
}

function toSession(json: Json): Session {
  const answer = object(json);
  if (!truth(answer, "needsToken")) return { kind: "open" };
  const name = text(answer, "name");
  if (name === "") return { kind: "out", isOver: false };
  return { kind: "in", name, role: text(answer, "role"), may: new Set(texts(answer, "may")) };
}
