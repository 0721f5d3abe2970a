import { Fragment, useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import { toTrace } from "../api/trace.ts";
import type { Trace, TraceSpan } from "../api/trace.ts";
import { Link, navigate, useAddress, withQuery } from "../navigation.tsx";
import { durationText, instantText } from "../parts/clock.ts";
import { Copy, Empty, Failure, Icon } from "../parts/pieces.tsx";
import { VirtualList } from "../parts/VirtualList.tsx";
import { toHref } from "../route.ts";
import { useFresh } from "../services/useFresh.ts";
import { waterfall } from "../traces/waterfall.ts";
import type { Waterfall, WaterfallRow } from "../traces/waterfall.ts";

const rowHeight = 30;
/** Many spans take less than the millisecond that runs are told in. */
const spanText = (ms: number): string => (ms > 0 && ms < 1 ? `${Math.round(ms * 1_000)} µs` : durationText(ms));
const percent = (part: number): string => `${(part * 100).toFixed(3)}%`;

/** One trace: its spans as bars over time, each below the one that it is inside of. */
export function TracePage({ traceId }: { readonly traceId: string }) {
  useFresh("sidestep.v1.Traces/");
  const answer = useAnswer("sidestep.v1.Traces/Get", { traceId });
  const trace = useMemo(() => (answer.value === undefined ? undefined : toTrace(object(answer.value))), [answer.value]);
  if (trace !== undefined) return <Shown trace={trace} />;
  if (answer.error === undefined) return <div className="skeleton" style={{ height: 320 }} aria-busy="true" />;
  return answer.error.code === "NOT_FOUND" ? (
    <Empty isPage title={`Nothing of the trace ${traceId} is here`}>
      It may not have come yet, or so many came after it that it is no longer kept.
    </Empty>
  ) : (
    <Failure error={answer.error} />
  );
}

function Shown({ trace }: { readonly trace: Trace }) {
  const address = useAddress();
  const drawn = useMemo(() => waterfall(trace.spans), [trace]);
  const chosen = trace.spans.find(({ spanId }) => spanId === address.searchParams.get("span"));
  const runId = trace.spans.map(({ attributes }) => attributes["sidestep.run.id"]).find((it) => it !== undefined);
  const choose = (span: TraceSpan): void =>
    navigate(withQuery(address, { span: span === chosen ? undefined : span.spanId }), "replace");
  const row = (at: number) => {
    const one = drawn.rows[at];
    return one === undefined ? undefined : (
      <Bar row={one} tone={toneOf(one.span, drawn)} isChosen={one.span === chosen} onChoose={() => choose(one.span)} />
    );
  };
  return (
    <>
      <div className="pagehead">
        <div className="grow stack tight">
          <h1>{drawn.rows[0]?.span.name ?? "Trace"}</h1>
          <div className="row muted facts">
            <span className="mono">{trace.traceId}</span>
            <Copy text={trace.traceId} what="the trace's id" />
            {runId === undefined ? undefined : <Link href={toHref({ page: "run", runId })}>run</Link>}
            <span>{instantText(drawn.from)}</span>
            <span>took {spanText(drawn.tookMs)}</span>
            {trace.leftOut === 0 ? undefined : <span>{trace.leftOut} more spans are not kept</span>}
          </div>
        </div>
      </div>
      <div className="stack">
        <div className="card timeline">
          <header>
            <h2 className="grow">
              {trace.spans.length} {trace.spans.length === 1 ? "span" : "spans"} of {drawn.services.length}{" "}
              {drawn.services.length === 1 ? "program" : "programs"}
            </h2>
          </header>
          <VirtualList
            count={drawn.rows.length}
            rowHeight={rowHeight}
            row={row}
            heightMax="62vh"
            label="Spans of the trace"
          />
        </div>
        {chosen === undefined ? undefined : <Details span={chosen} from={drawn.from} />}
      </div>
    </>
  );
}

/** Programs are told apart by tone as far as there are any; their names say it too. */
const tones = ["running", "done", "waiting", "idle"] as const;

function toneOf({ failed, service }: TraceSpan, { services }: Waterfall): string {
  return failed ? "failed" : (tones[services.indexOf(service) % tones.length] ?? "idle");
}

function Bar({
  row: { span, depth, start, width },
  tone,
  isChosen,
  onChoose,
}: {
  readonly row: WaterfallRow;
  readonly tone: string;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}) {
  const took = spanText(span.endedAt - span.startedAt);
  return (
    <button
      type="button"
      className={`bar tone-${tone}${isChosen ? " chosen" : ""}`}
      onClick={onChoose}
      aria-pressed={isChosen}
      aria-label={`${span.name}, ${span.service}, ${span.failed ? "failed, " : ""}${took}`}
    >
      <span
        className="bar-name cut"
        title={`${span.name}  ${span.service}`}
        style={{ paddingLeft: 12 + 12 * Math.min(depth, 12) }}
      >
        {span.failed ? (
          <span className="bar-icon">
            <Icon name="warning" />
          </span>
        ) : undefined}
        {span.name} <span className="muted">{span.service}</span>
      </span>
      <span className="lane">
        <span className="span" style={{ left: percent(start), width: `max(3px, ${percent(width)})` }} />
      </span>
      <span className="bar-time">{took}</span>
    </button>
  );
}

function Details({ span, from }: { readonly span: TraceSpan; readonly from: number }) {
  return (
    <section className="card" aria-label={`Span ${span.name}`}>
      <header>
        <h2 className="grow">{span.name}</h2>
        <span className="muted">
          {span.service}, {span.kind.toLowerCase()}, begins at +{spanText(span.startedAt - from)}
        </span>
      </header>
      <div className="in stack">
        {span.failed ? (
          <strong className="tone-failed">{span.message === "" ? "failed" : span.message}</strong>
        ) : undefined}
        <Attributes of={span.attributes} />
        {span.events.map((event, at) => (
          <div key={at} className="stack tight">
            <strong>
              {event.name}
              {event.time === undefined ? undefined : ` at +${spanText(event.time - from)}`}
            </strong>
            <Attributes of={event.attributes} />
          </div>
        ))}
      </div>
    </section>
  );
}

function Attributes({ of }: { readonly of: Readonly<Record<string, string>> }) {
  return (
    <dl className="pairs">
      {Object.entries(of)
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt className="mono">{name}</dt>
            <dd className="mono">{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
