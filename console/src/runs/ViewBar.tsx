import { useState } from "react";
import { dropView, givenViews, saveView, savedViews } from "./views.ts";

/** Filters with names: those that everybody has, and one's own. */
export function ViewBar({
  filter,
  onFilter,
}: {
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
}) {
  const [own, setOwn] = useState(savedViews);
  const [name, setName] = useState<string>();
  const isKnown = [...givenViews, ...own].some((view) => view.filter === filter);
  const save = (): void => {
    if (name === undefined || name.trim() === "") return;
    saveView({ name: name.trim(), filter });
    setOwn(savedViews());
    setName(undefined);
  };
  return (
    <div className="row views" role="group" aria-label="Views">
      {givenViews.map((view) => (
        <button
          key={view.name}
          type="button"
          className="small view"
          aria-pressed={view.filter === filter}
          onClick={() => onFilter(view.filter)}
        >
          {view.name}
        </button>
      ))}
      {own.map((view) => (
        <span key={view.name} className="own">
          <button
            type="button"
            className="small view"
            aria-pressed={view.filter === filter}
            onClick={() => onFilter(view.filter)}
          >
            {view.name}
          </button>
          <button
            type="button"
            className="bare small"
            aria-label={`Forget the view ${view.name}`}
            onClick={() => {
              dropView(view.name);
              setOwn(savedViews());
            }}
          >
            ✕
          </button>
        </span>
      ))}
      {isKnown ? undefined : name === undefined ? (
        <button type="button" className="small bare" onClick={() => setName("")}>
          Save as a view…
        </button>
      ) : (
        <form
          className="row"
          onSubmit={(event) => {
            event.preventDefault();
            save();
          }}
        >
          <input
            type="text"
            aria-label="Name of the view"
            placeholder="Name"
            autoFocus
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <button type="submit" className="small">
            Save
          </button>
        </form>
      )}
    </div>
  );
}
