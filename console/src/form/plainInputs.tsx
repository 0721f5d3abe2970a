import { useState } from "react";
import type { JsonValue } from "@bufbuild/protobuf";
import type { InputIds } from "./Labelled.tsx";

interface PlainProps {
  readonly ids: InputIds;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}

/** One line of text, or a number. */
export function TextInput({
  ids,
  hint,
  isNumber,
  value,
  onChange,
}: PlainProps & { readonly hint: string; readonly isNumber: boolean }) {
  return (
    <input
      {...ids}
      type="text"
      inputMode={isNumber ? "decimal" : "text"}
      placeholder={hint}
      autoComplete="off"
      value={typeof value === "string" || typeof value === "number" ? String(value) : ""}
      onChange={(event) => onChange(event.target.value || undefined)}
    />
  );
}

/** A point in time, in the time of the browser's place. */
export function InstantInput({ ids, value, onChange }: PlainProps) {
  return (
    <input
      {...ids}
      type="datetime-local"
      step="0.001"
      value={toLocal(value)}
      onChange={(event) => onChange(fromLocal(event.target.value))}
    />
  );
}

/** One of some names. */
export function ChoiceInput({ ids, names, value, onChange }: PlainProps & { readonly names: readonly string[] }) {
  return (
    <select
      {...ids}
      value={typeof value === "string" ? value : ""}
      onChange={(event) => onChange(event.target.value || undefined)}
    >
      <option value="">not set</option>
      {names.map((one) => (
        <option key={one}>{one}</option>
      ))}
    </select>
  );
}

/** Yes, or not set. */
export function FlagInput({ ids, value, onChange }: PlainProps) {
  return (
    <input
      {...ids}
      type="checkbox"
      checked={value === true}
      onChange={(event) => onChange(event.target.checked ? true : undefined)}
    />
  );
}

/** Anything, as JSON. */
export function JsonInput({ ids, hint, value, onChange }: PlainProps & { readonly hint: string }) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, undefined, 2)));
  const [isWrong, setWrong] = useState(false);
  const read = (next: string): void => {
    setText(next);
    try {
      const parsed: JsonValue | undefined = next.trim() === "" ? undefined : JSON.parse(next);
      onChange(parsed);
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <>
      <textarea
        {...ids}
        className="mono"
        placeholder={hint}
        value={text}
        aria-invalid={isWrong}
        onChange={(event) => read(event.target.value)}
      />
      {isWrong ? <span className="help tone-failed toned">This is no JSON yet.</span> : undefined}
    </>
  );
}

function toLocal(value: JsonValue | undefined): string {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
}

function fromLocal(text: string): string | undefined {
  const at = text === "" ? Number.NaN : new Date(text).getTime();
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
