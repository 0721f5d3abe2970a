import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** Where the console's pages are. */
export const consolePath = "/console/";

/** Serves the console's files as they were built. */
export interface ConsoleFiles {
  /** Answers a request for a path below /console/. Never rejects. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** Pages load nothing from elsewhere, run nothing that stands in them, and stand in no other page. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

const compressible = /^(text|application|image\/svg)/;
const compressedMinBytes = 1_000;

const notBuilt = `<!doctype html><html lang="en"><title>Sidestep</title><h1>The console is not built</h1>
<p>This orchestrator runs from sources without it. <code>npm run build</code> builds it; then load this page again.</p>
<p>The API works without: see docs/api.md.</p></html>
`;

interface Compressed {
  readonly version: string;
  readonly bytes: Buffer;
}

/** Serves from a folder; undefined, or one without an index.html: pages that say how to build it. */
export function openConsoleFiles(folder: string | undefined): ConsoleFiles {
  const compressed = new Map<string, Compressed>();
  const send = async (file: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile() !== true) return false;
    const type = types[path.extname(file)] ?? "application/octet-stream";
    const isHashed = file.includes(`${path.sep}assets${path.sep}`);
    const headers = {
      ...pageHeaders,
      "content-type": type,
      "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
    };
    let bytes: Buffer = await readFile(file);
    const takesGzip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    if (!takesGzip || bytes.length < compressedMinBytes || !compressible.test(type)) {
      end(request, response, 200, { ...headers, "content-length": bytes.length }, bytes);
      return true;
    }
    const version = `${found.mtimeMs} ${found.size}`;
    const known = compressed.get(file);
    bytes = known?.version === version ? known.bytes : await promisify(gzip)(bytes);
    compressed.set(file, { version, bytes });
    end(request, response, 200, { ...headers, "content-encoding": "gzip", "content-length": bytes.length }, bytes);
    return true;
  };
  return {
    answer: async (asked, request, response) => {
      if (request.method !== "GET" && request.method !== "HEAD")
        return end(request, response, 405, { ...pageHeaders, allow: "GET, HEAD" }, "");
      const index = folder === undefined ? undefined : path.join(folder, "index.html");
      if (folder === undefined || index === undefined || !existsSync(index))
        return end(request, response, 404, { ...pageHeaders, "content-type": types[".html"] ?? "" }, notBuilt);
      const name = asked.slice(consolePath.length);
      try {
        if (isFileName(name) && (await send(path.join(folder, name), request, response))) return;
        // Every state of the console is a path of its own; only its files may be missing.
        if (!name.startsWith("assets/") && (await send(index, request, response))) return;
        end(request, response, 404, { ...pageHeaders, "content-type": types[".txt"] ?? "" }, "no such file\n");
      } catch {
        // A file that went away, or can't be read, while it was being sent: a rebuild is under way.
        response.destroy();
      }
    },
  };
}

/** Names of plain files below the folder: no "..", nothing hidden, nothing encoded. */
function isFileName(name: string): boolean {
  return /^(?:[A-Za-z0-9_-][\w.-]*\/)*[A-Za-z0-9_-][\w.-]*\.\w+$/.test(name);
}

function end(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string | number>>,
  body: Buffer | string,
): void {
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? "" : body);
}
