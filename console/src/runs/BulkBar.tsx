import { useState } from "react";
import { BulkDialog } from "./BulkDialog.tsx";
import { bulkActions } from "./bulkActions.ts";
import type { BulkAction } from "./bulkActions.ts";
import { ActButton } from "../session/ActButton.tsx";

interface BulkBarProps {
  readonly marked: ReadonlySet<string>;
  readonly isAllMarked: boolean;
  readonly filter: string;
  /** Runs that the filter finds. */
  readonly total: number;
  readonly onClear: () => void;
  readonly onStarted: (bulkId: string) => void;
}

/** More go by a filter: the action keeps what it was asked for as long as it is known. */
const markedMax = 200;

/** What can be done with the runs that are marked, or with all that the filter finds. */
export function BulkBar({ marked, isAllMarked, filter, total, onClear, onStarted }: BulkBarProps) {
  const [open, setOpen] = useState<BulkAction>();
  const [isWhole, setWhole] = useState(false);
  if (marked.size === 0) return undefined;
  const canBeWhole = filter !== "" && isAllMarked && total > marked.size;
  const takesWhole = canBeWhole && (isWhole || marked.size > markedMax);
  const isTooMany = !takesWhole && marked.size > markedMax;
  return (
    <div className="card bulk row" role="group" aria-label="Actions on the marked runs">
      <strong>{takesWhole ? `All ${total.toLocaleString("en")} of the filter` : `${marked.size} marked`}</strong>
      {isTooMany ? (
        <span className="muted">More than {markedMax} at once: filter for them, then mark all.</span>
      ) : (
        bulkActions.map((action) => (
          <ActButton
            key={action.name}
            method="sidestep.v1.Runs/StartBulk"
            className={`small${action.isDangerous ? " danger" : ""}`}
            onClick={() => setOpen(action)}
          >
            {action.name}
          </ActButton>
        ))
      )}
      {canBeWhole && marked.size <= markedMax ? (
        <button type="button" className="small bare" aria-pressed={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? `Only the ${marked.size} marked` : `All ${total.toLocaleString("en")} of the filter`}
        </button>
      ) : undefined}
      <button type="button" className="small bare" onClick={onClear}>
        Clear
      </button>
      {open === undefined ? undefined : (
        <BulkDialog
          action={open}
          filter={takesWhole ? filter : `id in ${JSON.stringify([...marked])}`}
          onClose={() => setOpen(undefined)}
          onStarted={(bulkId) => {
            setOpen(undefined);
            onStarted(bulkId);
          }}
        />
      )}
    </div>
  );
}
