import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import type { FormEvent, KeyboardEvent } from "react";
import { completions } from "./completion.ts";
import type { Completion, Vocabulary } from "./completion.ts";

interface QueryBarProps {
  readonly filter: string;
  readonly vocabulary: Vocabulary;
  readonly onFilter: (filter: string) => void;
}

/** A filter in CEL, completed while it is typed; Enter applies it. */
export function QueryBar({ filter, vocabulary, onFilter }: QueryBarProps) {
  const [text, setText] = useState(filter);
  const [cursor, setCursor] = useState(filter.length);
  const [isOpen, setOpen] = useState(false);
  const [marked, setMarked] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const taken = useRef<number>(undefined);
  const id = useId();
  useEffect(() => setText(filter), [filter]);
  // Before the next key: what is typed goes on behind what was taken.
  useLayoutEffect(() => {
    if (taken.current !== undefined) input.current?.setSelectionRange(taken.current, taken.current);
    taken.current = undefined;
  }, [text]);
  const offered = isOpen ? completions(text, cursor, vocabulary) : [];
  const take = (completion: Completion): void => {
    const next = text.slice(0, completion.from) + completion.text + text.slice(cursor);
    const at = completion.from + completion.text.length;
    setText(next);
    setCursor(at);
    setMarked(-1);
    taken.current = at;
  };
  const apply = (event: FormEvent): void => {
    event.preventDefault();
    setOpen(false);
    onFilter(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const one = offered[marked];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) return setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      return setMarked((now) => Math.max(-1, Math.min(offered.length - 1, now + step)));
    }
    if (event.key === "Escape") return isOpen ? setOpen(false) : input.current?.blur();
    const takesTab = event.key === "Tab" && !event.shiftKey && isOpen && (one ?? offered[0]) !== undefined;
    const chosen = event.key === "Enter" ? one : takesTab && text !== "" ? (one ?? offered[0]) : undefined;
    if (chosen === undefined) return undefined;
    event.preventDefault();
    return take(chosen);
  };
  return (
    <form className="query grow" role="search" onSubmit={apply}>
      <input
        ref={input}
        type="text"
        className="mono"
        data-search
        role="combobox"
        aria-label="Filter of runs"
        aria-expanded={offered.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={marked >= 0 && offered.length > 0 ? `${id}-${marked}` : undefined}
        placeholder={'state == PAUSED && attributes.customer == "c-1"'}
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setCursor(event.target.selectionStart ?? event.target.value.length);
          setOpen(true);
          setMarked(-1);
        }}
        onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <ul id={`${id}-list`} role="listbox" aria-label="Ways to go on" className="offers" hidden={offered.length === 0}>
        {offered.map((one, at) => (
          <li
            key={one.text}
            id={`${id}-${at}`}
            role="option"
            aria-selected={at === marked}
            onMouseDown={(event) => {
              event.preventDefault();
              take(one);
            }}
          >
            <code>{one.text}</code> <span className="muted">{one.tells}</span>
          </li>
        ))}
      </ul>
      <button type="submit" className="primary">
        Filter
      </button>
    </form>
  );
}
