import type { Run } from "../api/run.ts";
import { hasEnded } from "../api/run.ts";
import { JsonView } from "../parts/JsonView.tsx";
import { Empty } from "../parts/pieces.tsx";

/** What the run was asked, and what it answered. */
export function RunPayloads({ run }: { readonly run: Run }) {
  return (
    <div className="payloads">
      <section className="card">
        <header>
          <h2>Request</h2>
        </header>
        <div className="in">
          <JsonView value={run.request ?? {}} label={run.requestType || "request"} />
        </div>
      </section>
      <section className="card">
        <header>
          <h2>Response</h2>
        </header>
        <div className="in">
          {run.state === "COMPLETED" ? (
            <JsonView value={run.response ?? {}} label={run.responseType || "response"} />
          ) : (
            <Empty title={hasEnded(run) ? "It ended without a response" : "It has not answered yet"} />
          )}
        </div>
      </section>
    </div>
  );
}
