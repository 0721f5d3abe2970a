import { useState } from "react";
import { Dialog } from "../parts/pieces.tsx";
import { usualColumns } from "./columns.tsx";
import type { Column } from "./columns.tsx";

/** Which columns the list has. */
export function ColumnChoice({
  all,
  chosen,
  onChoose,
}: {
  readonly all: readonly Column[];
  readonly chosen: readonly string[];
  readonly onChoose: (ids: readonly string[]) => void;
}) {
  const [isOpen, setOpen] = useState(false);
  const toggle = (id: string, isOn: boolean): void =>
    onChoose(all.map((column) => column.id).filter((one) => (one === id ? isOn : chosen.includes(one))));
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Columns
      </button>
      {isOpen ? (
        <Dialog title="Columns" onClose={() => setOpen(false)}>
          <ul className="stack tight">
            {all.map(({ id, name }) => (
              <li key={id} className="flag">
                <input
                  id={`column-${id}`}
                  type="checkbox"
                  checked={chosen.includes(id)}
                  onChange={(event) => toggle(id, event.target.checked)}
                />
                <label htmlFor={`column-${id}`}>
                  {name}
                  {id.startsWith("attributes.") ? <span className="muted"> (attribute)</span> : undefined}
                </label>
              </li>
            ))}
          </ul>
          <div className="buttons">
            <button type="button" onClick={() => onChoose(usualColumns)}>
              The usual ones
            </button>
            <button type="button" className="primary" onClick={() => setOpen(false)}>
              Done
            </button>
          </div>
        </Dialog>
      ) : undefined}
    </>
  );
}
