import { useMemo, useState } from "react";
import type { HistoryEvent, Run } from "../api/run.ts";
import { navigate, useAddress, withQuery } from "../navigation.tsx";
import { durationText, instantText, timeOfDayText } from "../parts/clock.ts";
import { Failure, StatusText } from "../parts/pieces.tsx";
import { JsonView } from "../parts/JsonView.tsx";
import { VirtualList } from "../parts/VirtualList.tsx";
import { useHistory } from "./useHistory.ts";

const words = (kind: string): string => kind.toLowerCase().replaceAll("_", " ");

/** Every fact of the run, oldest or newest first; one can be looked into. */
export function RunHistory({ run }: { readonly run: Run }) {
  const { events, error, isWhole } = useHistory(run);
  const address = useAddress();
  const newestFirst = address.searchParams.get("order") === "newest";
  const search = address.searchParams.get("find") ?? "";
  const [open, setOpen] = useState<string>();
  const shown = useMemo(() => select(events, search, newestFirst), [events, search, newestFirst]);
  const one = events.find(({ sequence }) => sequence === open);
  return (
    <div className="card history">
      <header>
        <h2>
          {events.length.toLocaleString("en")}
          {isWhole ? "" : "+"} {events.length === 1 ? "event" : "events"}
        </h2>
        <input
          type="search"
          className="grow"
          aria-label="Find in the history"
          placeholder="step, kind, text…"
          data-search
          value={search}
          onChange={(event) => navigate(withQuery(address, { find: event.target.value }), "replace")}
        />
        <button
          type="button"
          className="small"
          onClick={() => navigate(withQuery(address, { order: newestFirst ? undefined : "newest" }), "replace")}
        >
          {newestFirst ? "Show the oldest first" : "Show the newest first"}
        </button>
        <button type="button" className="small" onClick={() => download(`${run.runId}.json`, events)}>
          Save as JSON
        </button>
      </header>
      {error === undefined ? undefined : <Failure error={error} />}
      <VirtualList
        count={shown.length}
        rowHeight={36}
        heightMax="64vh"
        label="History of the run"
        row={(at) => {
          const event = shown[at];
          return event === undefined ? undefined : (
            <Row
              event={event}
              startedAt={run.startedAt}
              isOpen={event.sequence === open}
              onOpen={() => setOpen(event.sequence === open ? undefined : event.sequence)}
            />
          );
        }}
      />
      {one === undefined ? undefined : <Detail event={one} />}
    </div>
  );
}

/** Hands the events over as a file. */
function download(name: string, events: readonly HistoryEvent[]): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(events, undefined, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function select(events: readonly HistoryEvent[], search: string, newestFirst: boolean): readonly HistoryEvent[] {
  const wanted = search.toLowerCase();
  const found =
    wanted === ""
      ? events
      : events.filter((event) =>
          [event.step, words(event.kind), event.text, event.actor, event.status?.code, event.status?.message]
            .join(" ")
            .toLowerCase()
            .includes(wanted),
        );
  return newestFirst ? found.toReversed() : found;
}

function Row({
  event,
  startedAt,
  isOpen,
  onOpen,
}: {
  readonly event: HistoryEvent;
  readonly startedAt: number | undefined;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}) {
  const since = event.time === undefined || startedAt === undefined ? "" : `+${durationText(event.time - startedAt)}`;
  const isBad =
    /FAILED|EXPIRED|REJECTED|REFUSED/.test(event.kind) || (event.status !== undefined && event.status.code !== "OK");
  return (
    <button
      type="button"
      className={`event${isOpen ? " open" : ""}${event.ignored ? " ignored" : ""}`}
      aria-expanded={isOpen}
      onClick={onOpen}
    >
      <span className="mono muted" title={event.time === undefined ? undefined : instantText(event.time)}>
        {event.time === undefined ? "" : timeOfDayText(event.time)}
      </span>
      <span className="muted since">{since}</span>
      <span className={isBad ? "tone-failed toned" : ""}>
        {words(event.kind)}
        {event.attempt > 0 ? ` #${event.attempt}` : ""}
      </span>
      <span className="cut">
        {event.compensation ? "undo " : ""}
        {event.step}
      </span>
      <span className="cut muted">
        {[
          event.status === undefined || event.status.code === "OK"
            ? ""
            : `${event.status.code} ${event.status.message}`,
          event.actor,
          event.text,
          event.ignored ? "ignored" : "",
        ]
          .filter((it) => it !== "")
          .join(" · ")}
      </span>
    </button>
  );
}

function Detail({ event }: { readonly event: HistoryEvent }) {
  return (
    <div className="in stack detail" aria-live="polite">
      <h3>
        {words(event.kind)} {event.step}
      </h3>
      {event.actor === "" ? undefined : (
        <p>
          by {event.actor}
          {event.text === "" ? "" : `: ${event.text}`}
        </p>
      )}
      {event.status === undefined ? undefined : <StatusText status={event.status} />}
      {event.payload === undefined ? (
        <p className="muted">It carries no payload.</p>
      ) : (
        <JsonView value={event.payload} label={event.payloadType || "payload"} />
      )}
    </div>
  );
}
