import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import { toSummaries } from "../api/trace.ts";
import { Link } from "../navigation.tsx";
import { durationText } from "../parts/clock.ts";
import { Empty, Failure, When } from "../parts/pieces.tsx";
import { toHref } from "../route.ts";
import { useFresh } from "../services/useFresh.ts";

/** The traces that are kept, the newest first. */
export function TracesPage() {
  useFresh("sidestep.v1.Traces/");
  const answer = useAnswer("sidestep.v1.Traces/List", {});
  const traces = useMemo(() => toSummaries(object(answer.value)), [answer.value]);
  return (
    <>
      <div className="pagehead">
        <h1>Traces</h1>
        <p className="muted pad">The last ones, of runs and of the services that export here.</p>
      </div>
      {answer.error === undefined ? undefined : <Failure error={answer.error} />}
      <div className="card">
        {traces.length === 0 && answer.error === undefined && !answer.isLoading ? (
          <Empty title="No trace has come yet">
            Start a run, or have a service export to this address: OTEL_EXPORTER_OTLP_ENDPOINT={location.origin}
          </Empty>
        ) : undefined}
        {traces.length === 0 ? undefined : (
          <table>
            <thead>
              <tr>
                <th scope="col">Trace</th>
                <th scope="col">Program</th>
                <th scope="col">Began</th>
                <th scope="col">Took</th>
                <th scope="col">Spans</th>
                <th scope="col">Failed</th>
              </tr>
            </thead>
            <tbody>
              {traces.map(({ traceId, name, service, startedAt, endedAt, spans, failed }) => (
                <tr key={traceId}>
                  <td>
                    <Link href={toHref({ page: "trace", traceId })} title={traceId}>
                      {name === "" ? traceId : name}
                    </Link>
                  </td>
                  <td>{service}</td>
                  <td>
                    <When at={startedAt} />
                  </td>
                  <td>{startedAt === undefined || endedAt === undefined ? "–" : durationText(endedAt - startedAt)}</td>
                  <td>{spans}</td>
                  <td>{failed}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </>
  );
}
