import { existsSync } from "node:fs";
import path from "node:path";
import { defineConfig } from "vitepress";

// The pages are the repository's own Markdown: what is read beside the code is what is on the site.
const root = path.resolve(import.meta.dirname, "../..");

const begin = [
  { text: "What it is", link: "/" },
  { text: "Tutorial", link: "/docs/tutorial" },
  { text: "Coming from …", link: "/docs/coming-from" },
  { text: "One command: dev", link: "/docs/dev" },
];

const write = [
  { text: "Workflows", link: "/docs/workflows" },
  { text: "Expressions", link: "/docs/expressions" },
  { text: "Values", link: "/docs/values" },
  { text: "Patterns", link: "/docs/patterns" },
  { text: "Testing", link: "/docs/testing" },
  { text: "Simulate, sweep, replay", link: "/docs/simulation" },
  { text: "Versions", link: "/docs/versions" },
];

const start = [
  { text: "Clients", link: "/docs/clients" },
  { text: "Schedules", link: "/docs/schedules" },
  { text: "Events and webhooks", link: "/docs/triggers" },
  { text: "Through the sidecar", link: "/docs/mesh" },
];

const operate = [
  { text: "Console", link: "/docs/console" },
  { text: "Operations", link: "/docs/operations" },
  { text: "The sidecar", link: "/docs/sidecar" },
  { text: "Security", link: "/docs/security" },
  { text: "NATS accounts", link: "/docs/accounts" },
  { text: "Clusters", link: "/docs/clusters" },
  { text: "Metrics", link: "/docs/metrics" },
  { text: "Tracing", link: "/docs/tracing" },
  { text: "Webhook", link: "/docs/webhook" },
  { text: "Deployment", link: "/deploy/README" },
];

const lookUp = [
  { text: "Guarantees", link: "/docs/guarantees" },
  { text: "Command line", link: "/docs/cli" },
  { text: "API", link: "/docs/api" },
  { text: "Configuration", link: "/docs/configuration" },
  { text: "Errors", link: "/docs/errors" },
  { text: "Limits", link: "/docs/limits" },
  { text: "Performance", link: "/docs/performance" },
  { text: "Line by line", link: "/docs/features" },
  { text: "Compared", link: "/docs/comparison" },
];

const within = [
  { text: "Architecture", link: "/ARCHITECTURE" },
  { text: "Protocol", link: "/docs/protocol" },
  { text: "Contributing", link: "/CONTRIBUTING" },
  { text: "Changelog", link: "/CHANGELOG" },
];

export default defineConfig({
  title: "Sidestep",
  description: "Durable workflows over unmodified gRPC services",
  srcDir: "../",
  srcExclude: ["**/node_modules/**", "**/dist/**", "**/testdata/**", "**/.*/**"],
  outDir: path.join(root, "dist/site"),
  cacheDir: path.join(root, "node_modules/.cache/vitepress"),
  rewrites: { "README.md": "index.md" },
  ignoreDeadLinks: "localhostLinks",
  lastUpdated: false,
  markdown: {
    languageAlias: { console: "shellsession" },
    config: (markdown) => {
      const { rules } = markdown.renderer;
      const { link_open: open, link_close: close } = rules;
      const dropped: boolean[] = [];
      rules["link_open"] = (tokens, index, options, env, self) => {
        const href = pageOf(tokens[index]?.attrGet("href") ?? "", String(env.path));
        dropped.push(href === undefined);
        if (href === undefined) return "<span>";
        tokens[index]?.attrSet("href", href);
        return open?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options);
      };
      rules["link_close"] = (tokens, index, options, env, self) => {
        if (dropped.pop() === true) return "</span>";
        return close?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options);
      };
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Tutorial", link: "/docs/tutorial" },
      { text: "Workflows", link: "/docs/workflows" },
      { text: "Guarantees", link: "/docs/guarantees" },
      { text: "Command line", link: "/docs/cli" },
    ],
    sidebar: [
      { text: "Begin", items: begin },
      { text: "Write", items: write },
      { text: "Start and call", items: start },
      { text: "Operate", items: operate },
      { text: "Look up", items: lookUp },
      { text: "Within", items: within },
    ],
  },
});

/**
 * Where a link of a page leads on the site: a folder to its README; undefined: to something of the repository that is no page, a proto or a test, which
 * the text then just names.
 */
function pageOf(href: string, page: string): string | undefined {
  if (/^(https?:|mailto:|#|\/)/.test(href) || /\.md(#|$)/.test(href)) return href;
  const isFolderOfPage = existsSync(path.resolve(path.dirname(page), href, "README.md"));
  return isFolderOfPage ? `${href.replace(/\/$/, "")}/README.md` : undefined;
}
