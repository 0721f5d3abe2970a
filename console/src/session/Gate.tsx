import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { Notice } from "../parts/pieces.tsx";
import { askSession, signIn, signOut, useSession } from "./session.ts";
import "./session.css";

/** Shows the console to who may see it, and a form for a token to everybody else. */
export function Gate({ children }: { readonly children: ReactNode }) {
  const session = useSession();
  useEffect(() => void askSession(), []);
  if (session.kind === "asking") return undefined;
  return session.kind === "out" ? <SignIn isOver={session.isOver} /> : children;
}

function SignIn({ isOver }: { readonly isOver: boolean }) {
  const [token, setToken] = useState("");
  const [refusal, setRefusal] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  useEffect(() => void (document.title = "Sign in · Sidestep"), []);
  const submit = async (): Promise<void> => {
    setAsking(true);
    setRefusal(await signIn(token.trim()));
    setAsking(false);
  };
  return (
    <main className="signin">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className="in stack">
          <h1>
            <img src="/console/icon.svg" width="24" height="24" alt="" /> Sidestep
          </h1>
          <p className="muted">
            {isOver ? "Your token counts no more. Sign in with another." : "This orchestrator asks who you are."}
          </p>
          <label className="stack tight">
            Token
            <input
              type="password"
              autoComplete="current-password"
              autoFocus
              required
              value={token}
              aria-describedby="token-help"
              onChange={(event) => setToken(event.target.value)}
            />
          </label>
          <p className="muted small-text" id="token-help">
            <code>sidestep token create</code> makes one; whoever runs the orchestrator lets it in.
          </p>
          {refusal === undefined ? undefined : (
            <Notice tone="failed" icon="warning">
              {refusal}
            </Notice>
          )}
          <button type="submit" className="primary" disabled={isAsking}>
            Sign in
          </button>
        </div>
      </form>
    </main>
  );
}

/** Who is signed in, with the way out. */
export function Who() {
  const session = useSession();
  if (session.kind !== "in") return undefined;
  return (
    <div className="row who">
      <span className="cut" title={`${session.name}, ${session.role}`}>
        {session.name} <span className="muted">{session.role}</span>
      </span>
      <button type="button" className="bare small" onClick={() => void signOut()}>
        Sign out
      </button>
    </div>
  );
}
