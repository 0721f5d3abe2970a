import { useEffect, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode } from "react";

interface VirtualListProps {
  readonly count: number;
  readonly rowHeight: number;
  readonly row: (at: number) => ReactNode;
  /** Height of the view; what is less needs no more room. */
  readonly heightMax: string;
  readonly label: string;
  readonly onKeyDown?: (event: KeyboardEvent<HTMLDivElement>) => void;
  /** Called with the rows that come into view, a few around them included. */
  readonly onReach?: (first: number, last: number) => void;
  /** Row that has to be in view. */
  readonly focused?: number | undefined;
  /** Makes it a table; its rows are made of cells then. */
  readonly header?: ReactNode;
}

const overscan = 8;

/** Rows of one height, of which only those in view are there. */
export function VirtualList({
  count,
  rowHeight,
  row,
  heightMax,
  label,
  onKeyDown,
  onReach,
  focused,
  header,
}: VirtualListProps) {
  const view = useRef<HTMLDivElement>(null);
  const [span, setSpan] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = view.current;
    if (element === null) return undefined;
    const measure = (): void => setSpan({ top: element.scrollTop, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  const first = Math.max(0, Math.floor(span.top / rowHeight) - overscan);
  const last = Math.min(count, Math.ceil((span.top + span.height) / rowHeight) + overscan);
  useEffect(() => onReach?.(first, last), [first, last, onReach]);
  useEffect(() => {
    const element = view.current;
    if (element === null || focused === undefined || focused < 0) return;
    const top = focused * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + 2 * rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = top + 2 * rowHeight - element.clientHeight;
  }, [focused, rowHeight]);
  const isTable = header !== undefined;
  const rows: ReactNode[] = [];
  for (let at = first; at < last; at++) {
    rows.push(
      <div
        key={at}
        className="vrow"
        style={{ top: at * rowHeight, height: rowHeight }}
        {...(isTable ? { role: "row", "aria-rowindex": at + 2 } : { role: "listitem" })}
      >
        {row(at)}
      </div>,
    );
  }
  return (
    <div
      className="vlist"
      ref={view}
      style={{ maxHeight: heightMax }}
      tabIndex={0}
      aria-label={label}
      {...(isTable ? { role: "table", "aria-rowcount": count + 1 } : { role: "region" })}
      onKeyDown={onKeyDown}
    >
      {isTable ? (
        <div className="vhead" role="row" aria-rowindex={1}>
          {header}
        </div>
      ) : undefined}
      <div className="vspace" style={{ height: count * rowHeight }} role={isTable ? "rowgroup" : "list"}>
        {rows}
      </div>
    </div>
  );
}
