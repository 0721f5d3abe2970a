/** Where the console is: a page, and what it shows. Each is an address. */
export type Route =
  | { readonly page: "overview" }
  | { readonly page: "runs" }
  | { readonly page: "run"; readonly runId: string }
  | { readonly page: "workflows" }
  | { readonly page: "workflow"; readonly workflow: string }
  | { readonly page: "schedules" }
  | { readonly page: "triggers" }
  | { readonly page: "services" }
  | { readonly page: "incidents" }
  | { readonly page: "traces" }
  | { readonly page: "trace"; readonly traceId: string }
  | { readonly page: "approvals" }
  | { readonly page: "audit" }
  | { readonly page: "unknown"; readonly path: string };

/** Everything is below this path. */
export const base = "/console/";

/** Reads the path of an address. */
export function parseRoute(path: string): Route {
  const segments = path.startsWith(base)
    ? path
        .slice(base.length)
        .split("/")
        .filter((it) => it !== "")
        .map(decode)
    : [];
  const [page = "overview", ...rest] = segments;
  const [first] = rest;
  switch (page) {
    case "overview":
    case "schedules":
    case "triggers":
    case "services":
    case "incidents":
    case "approvals":
    case "audit":
      return first === undefined ? { page } : { page: "unknown", path };
    case "runs":
      return first === undefined ? { page } : { page: "run", runId: first };
    case "traces":
      return first === undefined ? { page } : { page: "trace", traceId: first };
    case "workflows":
      return first === undefined ? { page } : { page: "workflow", workflow: rest.join("/") };
    default:
      return { page: "unknown", path };
  }
}

/** The address of a route, with what its page is asked to show. */
export function toHref(route: Route, query: Readonly<Record<string, string | undefined>> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") parameters.set(name, value);
  const text = parameters.toString();
  return base + pathOf(route) + (text === "" ? "" : `?${text}`);
}

function pathOf(route: Route): string {
  switch (route.page) {
    case "overview":
      return "";
    case "runs":
    case "workflows":
    case "schedules":
    case "triggers":
    case "services":
    case "incidents":
    case "approvals":
    case "audit":
      return route.page;
    case "run":
      return `runs/${encodeURIComponent(route.runId)}`;
    case "traces":
      return route.page;
    case "trace":
      return `traces/${encodeURIComponent(route.traceId)}`;
    case "workflow":
      return `workflows/${route.workflow.split("/").map(encodeURIComponent).join("/")}`;
    case "unknown":
      return "";
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
