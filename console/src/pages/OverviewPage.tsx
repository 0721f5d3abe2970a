import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { list, number, object, text, time } from "../api/json.ts";
import { useLiveLists } from "../api/live.ts";
import { toRun } from "../api/run.ts";
import type { RunState } from "../api/run.ts";
import { Link } from "../navigation.tsx";
import { durationText } from "../parts/clock.ts";
import { failedOf, liveOf, totalOf, useCounts } from "../parts/counts.ts";
import type { Count } from "../parts/counts.ts";
import { Empty, Failure, Icon, RunChip, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import { countedWord, runLooks } from "../parts/states.ts";
import { toHref } from "../route.ts";
import type { Service } from "../services/services.ts";
import { toServices } from "../services/services.ts";
import { useFresh } from "../services/useFresh.ts";

const lastHour = 'started > now - duration("1h")';

/** The overview looks at many runs at once. */
const freshMs = 5_000;

/** How all goes: what needs a person, what came in, what failed, how long it took. */
export function OverviewPage() {
  useLiveLists(freshMs, ["sidestep.v1.Runs/Count", "sidestep.v1.Runs/List"]);
  const all = useCounts("");
  const hour = useCounts(lastHour);
  const ended = useAnswer("sidestep.v1.Runs/List", { filter: 'ended > now - duration("1h")', pageSize: 1000 });
  const incidents = useAnswer("sidestep.v1.Runs/ListIncidents", { pageSize: 5 });
  useFresh("sidestep.v1.Services/");
  const services = useAnswer("sidestep.v1.Services/ListServices");
  const newest = useAnswer("sidestep.v1.Runs/List", { filter: "", pageSize: 8 });
  const durations = useMemo(() => toDurations(ended.value), [ended.value]);
  const open = list(object(incidents.value), "groups", (one) => ({
    step: text(one, "step"),
    workflow: text(one, "workflow"),
    runs: number(one, "runs"),
    message: text(one, "message"),
    runId: text(one, "runId"),
    code: text(one, "code"),
    oldest: time(one, "oldest"),
  }));
  const backlog = useMemo(() => toServices(object(services.value)), [services.value]);
  const runs = list(object(newest.value), "runs", (one) => toRun(object(one["run"])));
  const failed = failedOf(hour.counts);
  const total = totalOf(hour.counts);
  const needing = totalOf(all.counts.filter(({ state }) => state === "PAUSED"));
  return (
    <>
      <div className="pagehead">
        <h1>Overview</h1>
      </div>
      {all.error === undefined ? undefined : <Failure error={all.error} />}
      <div className="tiles">
        <Tile
          name="Need a person"
          value={needing.toLocaleString("en")}
          tone={needing > 0 ? "failed" : "done"}
          href={toHref({ page: "incidents" })}
        />
        <Tile
          name="Live"
          value={liveOf(all.counts).toLocaleString("en")}
          tone="running"
          href={toHref({ page: "runs" }, { q: "state in [RUNNING, PAUSED, COMPENSATING, CORRUPT]" })}
        />
        <Tile
          name="Started in the last hour"
          value={total.toLocaleString("en")}
          tone="idle"
          href={toHref({ page: "runs" }, { q: lastHour })}
        />
        <Tile
          name="Of them failed"
          value={total === 0 ? "–" : `${((failed / total) * 100).toFixed(1)} %`}
          tone={failed > 0 ? "warned" : "done"}
          href={toHref({ page: "runs" }, { q: `${lastHour} && state in [FAILED, COMPENSATED, COMPENSATION_FAILED]` })}
        />
        <Tile
          name="95 of 100 took at most"
          value={durations === undefined ? "–" : durationText(durations)}
          tone="idle"
          href={toHref({ page: "runs" }, { q: 'ended > now - duration("1h")' })}
        />
      </div>
      <div className="halves">
        <section className="card">
          <header>
            <h2 className="grow">What needs a person</h2>
            <Link href={toHref({ page: "incidents" })}>All incidents</Link>
          </header>
          {open.length === 0 ? (
            <Empty title="Nothing" />
          ) : (
            <ul className="lines">
              {open.map((group) => (
                <li key={`${group.workflow} ${group.step} ${group.code}`} className="tone-failed">
                  <span className="toned">
                    <Icon name="warning" />
                  </span>
                  <div className="grow">
                    <strong>
                      {group.runs} {group.runs === 1 ? "run" : "runs"}
                    </strong>{" "}
                    at <code>{group.step}</code> of <WorkflowLink workflow={group.workflow} />
                    <div className="muted cut" title={group.message}>
                      {group.code}: {group.message}
                    </div>
                  </div>
                  <When at={group.oldest} />
                  <RunLink runId={group.runId} />
                </li>
              ))}
            </ul>
          )}
        </section>
        <section className="card">
          <header>
            <h2 className="grow">Newest runs</h2>
            <Link href={toHref({ page: "runs" })}>All runs</Link>
          </header>
          {runs.length === 0 ? (
            <Empty title={newest.isLoading ? "…" : "No run yet"} />
          ) : (
            <ul className="lines newest">
              {runs.map((run) => (
                <li key={run.runId}>
                  <RunChip state={run.state} held={run.held} />
                  <div className="grow cut">
                    <WorkflowLink workflow={run.workflow} /> <span className="muted">{run.key}</span>
                  </div>
                  <When at={run.startedAt} />
                  <RunLink runId={run.runId} />
                </li>
              ))}
            </ul>
          )}
        </section>
      </div>
      <div className="stack">
        <ByWorkflow counts={all.counts} />
        <ByService services={backlog} />
      </div>
    </>
  );
}

function Tile({
  name,
  value,
  tone,
  href,
}: {
  readonly name: string;
  readonly value: string;
  readonly tone: string;
  readonly href: string;
}) {
  return (
    <Link className={`card tile tone-${tone}`} href={href}>
      <span className="muted">{name}</span>
      <strong>{value}</strong>
    </Link>
  );
}

/** One bar a workflow: how its runs stand. */
function ByWorkflow({ counts }: { readonly counts: readonly Count[] }) {
  const workflows = [...Map.groupBy(counts, ({ workflow }) => workflow)].toSorted(
    (a, b) => totalOf(b[1]) - totalOf(a[1]),
  );
  if (workflows.length === 0) return undefined;
  return (
    <section className="card">
      <header>
        <h2>Runs by workflow</h2>
      </header>
      <ul className="lines">
        {workflows.map(([workflow, own]) => {
          const total = totalOf(own);
          const states = [...Map.groupBy(own, ({ state }) => state)]
            .map(([state, of]): readonly [RunState, number] => [state, totalOf(of)])
            .toSorted((a, b) => b[1] - a[1]);
          return (
            <li key={workflow} className="byworkflow">
              <WorkflowLink workflow={workflow} />
              <span className="shares" aria-hidden="true">
                {states.map(([state, runs]) => (
                  <span
                    key={state}
                    className={`tone-${runLooks[state].tone}`}
                    style={{ flexGrow: runs }}
                    title={`${runs} ${countedWord(state, runs)}`}
                  />
                ))}
              </span>
              <span className="muted small-text">
                {states.map(([state, runs]) => `${runs.toLocaleString("en")} ${countedWord(state, runs)}`).join(", ")}
              </span>
              <span className="number">{total.toLocaleString("en")}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** One line a service: what waits for it, and whether anybody takes it. */
function ByService({ services }: { readonly services: readonly Service[] }) {
  if (services.length === 0) return undefined;
  return (
    <section className="card">
      <header>
        <h2 className="grow">Calls by service</h2>
        <Link href={toHref({ page: "services" })}>All services</Link>
      </header>
      <ul className="lines">
        {services
          .toSorted((a, b) => b.backlog - a.backlog)
          .map(({ name, backlog, inFlight, serving }) => (
            <li key={name} className={serving === 0 ? "tone-failed" : undefined}>
              <span className="grow cut mono">{name}</span>
              {serving > 0 ? undefined : <span className="toned">nobody takes its calls</span>}
              <span className="number">{backlog.toLocaleString("en")} waiting</span>
              <span className="number">{inFlight.toLocaleString("en")} in flight</span>
            </li>
          ))}
      </ul>
    </section>
  );
}

/** What 95 of 100 of the runs that ended took at most; undefined: none has. */
function toDurations(answer: Parameters<typeof object>[0]): number | undefined {
  const took = list(object(answer), "runs", (one) => toRun(object(one["run"])))
    .flatMap(({ startedAt, endedAt }) =>
      startedAt === undefined || endedAt === undefined ? [] : [endedAt - startedAt],
    )
    .toSorted((a, b) => a - b);
  return took[Math.min(took.length - 1, Math.floor(took.length * 0.95))];
}
