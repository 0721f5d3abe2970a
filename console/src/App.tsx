import { Component, lazy, Suspense, useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { useConnection } from "./api/live.ts";
import { useKeys } from "./keys.ts";
import { Link, useAddress } from "./navigation.tsx";
import { Empty, Notice } from "./parts/pieces.tsx";
import { parseRoute, toHref } from "./route.ts";
import type { Route } from "./route.ts";
import { Who } from "./session/Gate.tsx";
import { useRefusal } from "./session/session.ts";
import { Help } from "./shell/Help.tsx";
import { NavigationIcon } from "./shell/NavigationIcon.tsx";
import type { Place } from "./shell/NavigationIcon.tsx";
import { ThemeSwitch } from "./shell/ThemeSwitch.tsx";
import { Toasts } from "./shell/toasts.tsx";
import { RunsPage } from "./pages/RunsPage.tsx";

const OverviewPage = lazy(() => import("./pages/OverviewPage.tsx").then((it) => ({ default: it.OverviewPage })));
const RunPage = lazy(() => import("./pages/RunPage.tsx").then((it) => ({ default: it.RunPage })));
const WorkflowsPage = lazy(() => import("./pages/WorkflowsPage.tsx").then((it) => ({ default: it.WorkflowsPage })));
const WorkflowPage = lazy(() => import("./pages/WorkflowPage.tsx").then((it) => ({ default: it.WorkflowPage })));
const SchedulesPage = lazy(() => import("./pages/SchedulesPage.tsx").then((it) => ({ default: it.SchedulesPage })));
const TriggersPage = lazy(() => import("./pages/TriggersPage.tsx").then((it) => ({ default: it.TriggersPage })));
const ServicesPage = lazy(() => import("./pages/ServicesPage.tsx").then((it) => ({ default: it.ServicesPage })));
const IncidentsPage = lazy(() => import("./pages/IncidentsPage.tsx").then((it) => ({ default: it.IncidentsPage })));
const AuditPage = lazy(() => import("./pages/AuditPage.tsx").then((it) => ({ default: it.AuditPage })));
const TracesPage = lazy(() => import("./pages/TracesPage.tsx").then((it) => ({ default: it.TracesPage })));
const TracePage = lazy(() => import("./pages/TracePage.tsx").then((it) => ({ default: it.TracePage })));
const ApprovalsPage = lazy(() => import("./pages/ApprovalsPage.tsx").then((it) => ({ default: it.ApprovalsPage })));

const places: readonly { readonly page: Place; readonly name: string }[] = [
  { page: "overview", name: "Overview" },
  { page: "runs", name: "Runs" },
  { page: "workflows", name: "Workflows" },
  { page: "schedules", name: "Schedules" },
  { page: "triggers", name: "Triggers" },
  { page: "services", name: "Services" },
  { page: "incidents", name: "Incidents" },
  { page: "approvals", name: "Approvals" },
  { page: "audit", name: "Audit" },
];

/** The whole console: where one can go at the left, the page at the right. */
export function App() {
  const address = useAddress();
  const route = parseRoute(address.pathname);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  useKeys(() => setHelpOpen(true));
  useTitle(route);
  const seesAudit = useRefusal("sidestep.v1.Audit/List") === undefined;
  return (
    <div className="shell">
      <a className="skip button" href="#content" onClick={() => main.current?.focus()}>
        Skip to content
      </a>
      <aside className="side" aria-label="Console">
        <Link className="brand" href={toHref({ page: "overview" })}>
          <img src="/console/icon.svg" width="24" height="24" alt="" /> Sidestep
        </Link>
        <nav aria-label="Pages">
          {places
            .filter(({ page }) => page !== "audit" || seesAudit)
            .map(({ page, name }) => (
              <Link key={page} href={toHref({ page })} aria-current={placeOf(route) === page ? "page" : undefined}>
                <NavigationIcon place={page} /> {name}
              </Link>
            ))}
        </nav>
        <div className="foot">
          <Who />
          <Liveness />
          <div className="row">
            <ThemeSwitch />
            <button type="button" className="bare small" onClick={() => setHelpOpen(true)} aria-label="Keyboard help">
              <kbd>?</kbd>
            </button>
          </div>
        </div>
      </aside>
      <main id="content" ref={main} tabIndex={-1}>
        <Guard key={address.pathname}>
          <Suspense fallback={<div className="skeleton" style={{ height: 240 }} aria-busy="true" />}>
            <Page route={route} />
          </Suspense>
        </Guard>
      </main>
      {isHelpOpen ? <Help onClose={() => setHelpOpen(false)} /> : undefined}
      <Toasts />
    </div>
  );
}

function Page({ route }: { readonly route: Route }) {
  switch (route.page) {
    case "overview":
      return <OverviewPage />;
    case "runs":
      return <RunsPage />;
    case "run":
      return <RunPage runId={route.runId} />;
    case "workflows":
      return <WorkflowsPage />;
    case "workflow":
      return <WorkflowPage workflow={route.workflow} />;
    case "schedules":
      return <SchedulesPage />;
    case "triggers":
      return <TriggersPage />;
    case "services":
      return <ServicesPage />;
    case "incidents":
      return <IncidentsPage />;
    case "approvals":
      return <ApprovalsPage />;
    case "traces":
      return <TracesPage />;
    case "trace":
      return <TracePage traceId={route.traceId} />;
    case "audit":
      return <AuditPage />;
    case "unknown":
      return (
        <Empty isPage title="There is no such page">
          <Link href={toHref({ page: "overview" })}>To the overview</Link>
        </Empty>
      );
  }
}

function placeOf(route: Route): string {
  if (route.page === "run") return "runs";
  return route.page === "workflow" ? "workflows" : route.page;
}

function nameOf(route: Route): string | undefined {
  switch (route.page) {
    case "run":
      return `Run ${route.runId.slice(0, 8)}…${route.runId.slice(-6)}`;
    case "trace":
      return `Trace ${route.traceId.slice(0, 8)}`;
    case "traces":
      return "Traces";
    case "workflow":
      return route.workflow;
    default:
      return places.find(({ page }) => page === route.page)?.name;
  }
}

function useTitle(route: Route): void {
  useEffect(() => {
    const named = nameOf(route);
    document.title = named === undefined ? "Sidestep" : `${named} · Sidestep`;
  });
}

function Liveness() {
  const connection = useConnection();
  const told = { idle: ["idle", "Up to date"], live: ["done", "Live"], connecting: ["failed", "Reconnecting…"] }[
    connection
  ];
  return (
    <span className={`live tone-${told[0]}`} role="status">
      {told[1]}
    </span>
  );
}

/** A page that fails says so and leaves the rest standing. */
class Guard extends Component<{ readonly children: ReactNode }, { readonly error: Error | undefined }> {
  override state: { readonly error: Error | undefined } = { error: undefined };
  static getDerivedStateFromError(error: Error): { readonly error: Error } {
    return { error };
  }
  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <Notice tone="failed" icon="warning">
        <strong>This page could not be shown.</strong> {error.message}{" "}
        <button type="button" className="small" onClick={() => location.reload()}>
          Load it again
        </button>
      </Notice>
    );
  }
}
