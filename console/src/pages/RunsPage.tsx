import { useCallback, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { useAnswer } from "../api/ask.ts";
import { list } from "../api/json.ts";
import { toWorkflow } from "../api/definition.ts";
import type { Workflow } from "../api/definition.ts";
import { Link, navigate, useAddress, withQuery } from "../navigation.tsx";
import { durationText, useNow } from "../parts/clock.ts";
import { Empty, Failure } from "../parts/pieces.tsx";
import { VirtualList } from "../parts/VirtualList.tsx";
import { toHref } from "../route.ts";
import { BulkBar } from "../runs/BulkBar.tsx";
import { Bulks } from "../runs/Bulks.tsx";
import { ColumnChoice } from "../runs/ColumnChoice.tsx";
import { columnsFor, usualColumns } from "../runs/columns.tsx";
import type { Column } from "../runs/columns.tsx";
import type { Vocabulary } from "../runs/completion.ts";
import { QueryBar } from "../runs/QueryBar.tsx";
import { useRuns } from "../runs/useRuns.ts";
import type { Runs } from "../runs/useRuns.ts";
import { useWaiting } from "../runs/useWaiting.ts";
import { ViewBar } from "../runs/ViewBar.tsx";

/** All runs: filtered, in views, in columns of one's choice, and steered in bulk. */
export function RunsPage() {
  const address = useAddress();
  const filter = address.searchParams.get("q") ?? "";
  const runs = useRuns(filter);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const definitions = useAnswer("sidestep.v1.Definitions/List").value;
  const vocabulary = useMemo(
    () => toVocabulary(definitions === undefined ? [] : list(definitions, "workflows", toWorkflow), runs.rows),
    [definitions, runs.rows],
  );
  const apply = (next: string): void => {
    setMarked(new Set());
    navigate(withQuery(address, { q: next }));
  };
  const all = columnsFor(vocabulary.attributes);
  const wanted = address.searchParams.get("columns")?.split(",") ?? usualColumns;
  const columns = wanted.flatMap((id) => all.find((column) => column.id === id) ?? []);
  return (
    <>
      <div className="pagehead">
        <h1>Runs</h1>
        <span className="muted grow pad" role="status">
          {runs.error === undefined ? summary(runs) : ""}
        </span>
        <ColumnChoice
          all={all}
          chosen={wanted}
          onChoose={(ids) =>
            navigate(
              withQuery(address, { columns: ids.join() === usualColumns.join() ? undefined : ids.join(",") }),
              "replace",
            )
          }
        />
      </div>
      <div className="row filterbar">
        <QueryBar filter={filter} vocabulary={vocabulary} onFilter={apply} />
      </div>
      <ViewBar filter={filter} onFilter={apply} />
      {runs.error === undefined ? undefined : <Failure error={runs.error} />}
      <Bulks />
      <BulkBar
        marked={marked}
        isAllMarked={runs.rows.length > 0 && runs.rows.every(({ run }) => marked.has(run.runId))}
        filter={filter}
        total={runs.total}
        onClear={() => setMarked(new Set())}
        onStarted={(bulk) => {
          setMarked(new Set());
          navigate(withQuery(address, { bulk }), "replace");
        }}
      />
      <RunTable filter={filter} runs={runs} columns={columns} marked={marked} onMark={setMarked} />
    </>
  );
}

/** Attributes are those that some version declares, and those that runs of versions of before have. */
function toVocabulary(definitions: readonly Workflow[], rows: Runs["rows"]): Vocabulary {
  const declared = definitions.flatMap(({ versions }) => versions.flatMap(({ attributes }) => attributes));
  const found = rows.flatMap(({ run }) => Object.keys(run.attributes));
  return {
    workflows: definitions.map(({ workflow }) => workflow),
    attributes: [...new Set([...declared, ...found])].toSorted(),
  };
}

function summary(runs: Runs): string {
  if (runs.isLoading && runs.rows.length === 0) return "";
  const lag = runs.lag !== undefined && runs.lag > 2000 ? `, the index is ${durationText(runs.lag)} behind` : "";
  return `${runs.total.toLocaleString("en")} ${runs.total === 1 ? "run" : "runs"}${lag}`;
}

const rowHeight = 40;
/** Whoever scrolls on is not told what runs wait for. */
const stillMs = 200;

function RunTable({
  filter,
  runs,
  columns,
  marked,
  onMark,
}: {
  readonly filter: string;
  readonly runs: Runs;
  readonly columns: readonly Column[];
  readonly marked: ReadonlySet<string>;
  readonly onMark: (marked: ReadonlySet<string>) => void;
}) {
  const now = useNow();
  const [focused, setFocused] = useState(-1);
  const { onReach, range } = useRange(runs.want);
  const count = Math.max(runs.total, runs.rows.length);
  const inView = Array.from({ length: Math.max(0, range.last - range.first) }, (_, at) => runs.rowAt(range.first + at));
  const waiting = useWaiting(
    inView.filter((one) => one !== undefined),
    runs.revision,
  );
  const template = `36px ${columns.map(({ width }) => width).join(" ")}`;
  const mark = (id: string, isOn: boolean): void => {
    const next = new Set(marked);
    if (isOn) next.add(id);
    else next.delete(id);
    onMark(next);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
    const row = runs.rowAt(focused)?.run;
    if (step !== 0) setFocused(Math.max(0, Math.min(count - 1, focused + step)));
    else if (event.key === "x" && row !== undefined) mark(row.runId, !marked.has(row.runId));
    else if (event.key === "Enter" && row !== undefined && event.target === event.currentTarget)
      navigate(toHref({ page: "run", runId: row.runId }));
  };
  if (runs.rows.length === 0 && !runs.isLoading && runs.error === undefined) {
    return (
      <div className="card">
        <NoRuns isFiltered={filter !== ""} />
      </div>
    );
  }
  const isAllMarked = runs.rows.length > 0 && runs.rows.every(({ run }) => marked.has(run.runId));
  const header = (
    <div className="cells" style={{ gridTemplateColumns: template }} role="presentation">
      <span role="columnheader">
        <input
          type="checkbox"
          aria-label="Mark all that are loaded"
          checked={isAllMarked}
          onChange={(event) =>
            onMark(event.target.checked ? new Set(runs.rows.map(({ run }) => run.runId)) : new Set())
          }
        />
      </span>
      {columns.map(({ id, name }) => (
        <span key={id} role="columnheader">
          {name}
        </span>
      ))}
    </div>
  );
  const row = (at: number) => {
    const listed = runs.rowAt(at);
    if (listed === undefined)
      return (
        <div className="cells" role="presentation">
          <span className="skeleton" role="cell" style={{ gridColumn: "1 / -1" }} />
        </div>
      );
    const { runId } = listed.run;
    const shown = { ...listed, waiting: waiting.get(runId) };
    return (
      <div
        className={`cells${at === focused ? " focused" : ""}${marked.has(runId) ? " marked" : ""}`}
        style={{ gridTemplateColumns: template }}
        role="presentation"
      >
        <span role="cell">
          <input
            type="checkbox"
            aria-label={`Mark run ${runId}`}
            checked={marked.has(runId)}
            onChange={(event) => mark(runId, event.target.checked)}
          />
        </span>
        {columns.map((column) => (
          <span key={column.id} role="cell" className="cut">
            {column.cell(shown, now)}
          </span>
        ))}
      </div>
    );
  };
  return (
    <div className="card runs">
      <VirtualList
        count={count}
        rowHeight={rowHeight}
        row={row}
        heightMax="calc(100vh - 236px)"
        label="Runs"
        header={header}
        onReach={onReach}
        onKeyDown={onKeyDown}
        focused={focused}
      />
    </div>
  );
}

function NoRuns({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No run is like that">
      <Link href={toHref({ page: "runs" })}>Show all runs</Link>
    </Empty>
  ) : (
    <Empty title="No run yet">
      <Link href={toHref({ page: "workflows" })}>A workflow’s page starts one</Link>
    </Empty>
  );
}

/** The rows in view, once they stay there. */
function useRange(want: Runs["want"]): {
  readonly onReach: Runs["want"];
  readonly range: { readonly first: number; readonly last: number };
} {
  const [range, setRange] = useState({ first: 0, last: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const onReach = useCallback(
    (first: number, last: number): void => {
      want(first, last);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setRange({ first, last }), stillMs);
    },
    [want],
  );
  return { onReach, range };
}
