import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { JsonValue } from "@bufbuild/protobuf";
import type { HttpError } from "./httpError.ts";

/** How a stream is written: a line a message, or as server-sent events. */
export type StreamForm = "ndjson" | "sse";

/** On every answer: it is nobody else's, and what it says it is. */
const everywhere = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
} as const;

const types = { ndjson: "application/x-ndjson; charset=utf-8", sse: "text/event-stream; charset=utf-8" } as const;

/** Proxies give up on what says nothing for a minute. */
const beatMs = 15_000;

/** A whole answer as JSON. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: ReadonlyMap<string, string> = new Map(),
): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    ...everywhere,
    "content-type": "application/json; charset=utf-8",
    "content-length": bytes.length,
    ...Object.fromEntries(headers),
  });
  response.end(bytes);
}

/** An answer that comes in parts. */
export interface StreamedAnswer extends Disposable {
  readonly form: StreamForm;
  /** Resolves when the client has room for more, or is gone. */
  message(json: JsonValue, id: string | undefined): Promise<void>;
  /** Ends it; an error is the last that comes. */
  end(error: HttpError | undefined): void;
}

/** Begins one. */
export function streamAnswer(
  response: ServerResponse,
  form: StreamForm,
  headers: ReadonlyMap<string, string>,
): StreamedAnswer {
  response.writeHead(200, { ...everywhere, "content-type": types[form], ...Object.fromEntries(headers) });
  response.flushHeaders();
  // A comment, which EventSource skips; a line without a message would be none.
  const beat = form === "sse" ? setInterval(() => response.write(":\n\n"), beatMs) : undefined;
  return {
    form,
    message: async (json, id) => {
      const line = JSON.stringify(json);
      const text = form === "ndjson" ? `${line}\n` : `${id === undefined ? "" : `id: ${id}\n`}data: ${line}\n\n`;
      if (response.destroyed || response.write(text)) return;
      await Promise.race([once(response, "drain"), once(response, "close")]);
    },
    end: (error) => {
      clearInterval(beat);
      const failure = error === undefined ? "" : JSON.stringify({ error: error.body });
      if (form === "ndjson") response.end(failure === "" ? "" : `${failure}\n`);
      // EventSource comes back after the end of a stream, unless it is closed when it hears of it.
      else response.end(failure === "" ? "event: end\ndata: {}\n\n" : `event: failure\ndata: ${failure}\n\n`);
    },
    [Symbol.dispose]: () => clearInterval(beat),
  };
}
