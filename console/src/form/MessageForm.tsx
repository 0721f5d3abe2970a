import { useId, useState } from "react";
import type { DescField, DescMessage, DescOneof, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { firstValue, shapeOf } from "./fieldShape.ts";
import type { Shape } from "./fieldShape.ts";
import "./form.css";

interface MessageFormProps {
  readonly type: DescMessage;
  readonly value: JsonObject;
  readonly onChange: (value: JsonObject) => void;
}

/** Fields to fill in for a message; what is left empty stays unset. */
export function MessageForm({ type, value, onChange }: MessageFormProps) {
  const set = (changes: Readonly<Record<string, JsonValue | undefined>>): void => {
    const next: JsonObject = { ...value };
    for (const [name, one] of Object.entries(changes)) {
      if (one === undefined) delete next[name];
      else next[name] = one;
    }
    onChange(next);
  };
  if (type.members.length === 0) return <p className="muted">It has no fields.</p>;
  return (
    <div className="message">
      {type.members.map((member) =>
        member.kind === "oneof" ? (
          <OneofInput key={member.name} oneof={member} value={value} set={set} />
        ) : (
          <FieldInput
            key={member.name}
            field={member}
            value={value[member.jsonName]}
            onChange={(one) => set({ [member.jsonName]: one })}
          />
        ),
      )}
    </div>
  );
}

function OneofInput({
  oneof,
  value,
  set,
}: {
  readonly oneof: DescOneof;
  readonly value: JsonObject;
  readonly set: (changes: Readonly<Record<string, JsonValue | undefined>>) => void;
}) {
  const id = useId();
  const chosen = oneof.fields.find(({ jsonName }) => value[jsonName] !== undefined);
  const choose = (name: string): void => {
    const cleared = Object.fromEntries(oneof.fields.map(({ jsonName }) => [jsonName, undefined]));
    const field = oneof.fields.find(({ jsonName }) => jsonName === name);
    set(field === undefined ? cleared : { ...cleared, [name]: firstValue(shapeOf(field)) ?? "" });
  };
  return (
    <div className="field">
      <label className="name" htmlFor={id}>
        {oneof.name}
      </label>
      <select id={id} value={chosen?.jsonName ?? ""} onChange={(event) => choose(event.target.value)}>
        <option value="">not set</option>
        {oneof.fields.map(({ name, jsonName }) => (
          <option key={name} value={jsonName}>
            {name}
          </option>
        ))}
      </select>
      {chosen === undefined ? undefined : (
        <FieldInput field={chosen} value={value[chosen.jsonName]} onChange={(one) => set({ [chosen.jsonName]: one })} />
      )}
    </div>
  );
}

interface FieldInputProps {
  readonly field: DescField;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}

function FieldInput({ field, value, onChange }: FieldInputProps) {
  const shape = shapeOf(field);
  if (field.fieldKind === "list")
    return <ListInput name={field.name} shape={shape} value={value} onChange={onChange} />;
  if (field.fieldKind === "map") return <MapInput name={field.name} shape={shape} value={value} onChange={onChange} />;
  return <ValueInput name={field.name} shape={shape} value={value} onChange={onChange} />;
}

interface ValueInputProps {
  readonly name: string;
  readonly shape: Shape;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}

function ValueInput({ name, shape, value, onChange }: ValueInputProps) {
  const id = useId();
  switch (shape.kind) {
    case "flag":
      return (
        <div className="flag">
          <input
            id={id}
            type="checkbox"
            checked={value === true}
            onChange={(event) => onChange(event.target.checked ? true : undefined)}
          />
          <label htmlFor={id} className="name">
            {name}
          </label>
        </div>
      );
    case "choice":
      return (
        <div className="field">
          <label htmlFor={id} className="name">
            {name}
          </label>
          <select
            id={id}
            value={typeof value === "string" ? value : ""}
            onChange={(event) => onChange(event.target.value || undefined)}
          >
            <option value="">not set</option>
            {shape.names.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </div>
      );
    case "text":
      return (
        <div className="field">
          <label htmlFor={id} className="name">
            {name}
          </label>
          <input
            id={id}
            type="text"
            inputMode={shape.isNumber ? "decimal" : "text"}
            placeholder={shape.hint}
            autoComplete="off"
            value={shown(value)}
            onChange={(event) => onChange(event.target.value || undefined)}
          />
        </div>
      );
    case "instant":
      return (
        <div className="field">
          <label htmlFor={id} className="name">
            {name}
          </label>
          <input
            id={id}
            type="datetime-local"
            step="0.001"
            value={toLocal(value)}
            onChange={(event) => onChange(fromLocal(event.target.value))}
          />
        </div>
      );
    case "json":
      return <JsonInput name={name} hint={shape.hint} value={value} onChange={onChange} />;
    case "optional":
      return (
        <Optional name={name} value={value} first={firstValue(shape.of) ?? ""} onChange={onChange}>
          <ValueInput
            name="value"
            shape={shape.of}
            value={value}
            onChange={(one) => onChange(one ?? firstValue(shape.of))}
          />
        </Optional>
      );
    case "message":
      return (
        <Optional name={name} value={value} first={{}} onChange={onChange}>
          <MessageForm type={shape.type} value={isObject(value) ? value : {}} onChange={onChange} />
        </Optional>
      );
  }
}

/** A value that is there or not, which is not the same as empty. */
function Optional({
  name,
  value,
  first,
  onChange,
  children,
}: {
  readonly name: string;
  readonly value: JsonValue | undefined;
  readonly first: JsonValue;
  readonly onChange: (value: JsonValue | undefined) => void;
  readonly children: React.ReactNode;
}) {
  const id = useId();
  return (
    <fieldset>
      <legend>
        <input
          id={id}
          type="checkbox"
          checked={value !== undefined}
          onChange={(event) => onChange(event.target.checked ? first : undefined)}
        />
        <label htmlFor={id}>{name}</label>
      </legend>
      {value === undefined ? undefined : children}
    </fieldset>
  );
}

function ListInput({ name, shape, value, onChange }: ValueInputProps) {
  const items = Array.isArray(value) ? value : [];
  const replace = (at: number, one: JsonValue | undefined): void =>
    onChange(items.map((item, index) => (index === at ? (one ?? firstValue(shape) ?? "") : item)));
  const remove = (at: number): void => {
    const rest = items.filter((_, index) => index !== at);
    onChange(rest.length === 0 ? undefined : rest);
  };
  return (
    <fieldset className="many">
      <legend>
        {name} <span className="muted">({items.length})</span>
      </legend>
      {items.map((item, at) => (
        <div className="item" key={at}>
          <div className="grow">
            {shape.kind === "message" ? (
              <MessageForm type={shape.type} value={isObject(item) ? item : {}} onChange={(one) => replace(at, one)} />
            ) : (
              <ValueInput name={`${name}[${at}]`} shape={shape} value={item} onChange={(one) => replace(at, one)} />
            )}
          </div>
          <button type="button" className="bare small" aria-label={`Remove ${name}[${at}]`} onClick={() => remove(at)}>
            ✕
          </button>
        </div>
      ))}
      <button type="button" className="small" onClick={() => onChange([...items, firstValue(shape) ?? ""])}>
        Add {name}
      </button>
    </fieldset>
  );
}

function MapInput({ name, shape, value, onChange }: ValueInputProps) {
  const entries = isObject(value) ? Object.entries(value) : [];
  const put = (next: readonly (readonly [string, JsonValue])[]): void =>
    onChange(next.length === 0 ? undefined : Object.fromEntries(next));
  return (
    <fieldset className="many">
      <legend>
        {name} <span className="muted">({entries.length})</span>
      </legend>
      {entries.map(([key, one], at) => (
        <div className="item" key={at}>
          <div className="grow message">
            <label className="field">
              <span className="name">key</span>
              <input
                type="text"
                value={key}
                onChange={(event) =>
                  put(entries.map((entry, index) => (index === at ? [event.target.value, one] : entry)))
                }
              />
            </label>
            {shape.kind === "message" ? (
              <MessageForm
                type={shape.type}
                value={isObject(one) ? one : {}}
                onChange={(next) => put(entries.map((entry, index) => (index === at ? [key, next] : entry)))}
              />
            ) : (
              <ValueInput
                name="value"
                shape={shape}
                value={one}
                onChange={(next) =>
                  put(entries.map((entry, index) => (index === at ? [key, next ?? firstValue(shape) ?? ""] : entry)))
                }
              />
            )}
          </div>
          <button
            type="button"
            className="bare small"
            aria-label={`Remove ${key}`}
            onClick={() => put(entries.filter((_, index) => index !== at))}
          >
            ✕
          </button>
        </div>
      ))}
      <button
        type="button"
        className="small"
        onClick={() => put([...entries, [`key${entries.length + 1}`, firstValue(shape) ?? ""]])}
      >
        Add entry
      </button>
    </fieldset>
  );
}

function JsonInput({
  name,
  hint,
  value,
  onChange,
}: {
  readonly name: string;
  readonly hint: string;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}) {
  const id = useId();
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
    <div className="field">
      <label htmlFor={id} className="name">
        {name}
      </label>
      <textarea
        id={id}
        className="mono"
        placeholder={hint}
        value={text}
        aria-invalid={isWrong}
        onChange={(event) => read(event.target.value)}
      />
      {isWrong ? <span className="help tone-failed toned">This is no JSON yet.</span> : undefined}
    </div>
  );
}

function shown(value: JsonValue | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function toLocal(value: JsonValue | undefined): string {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
}

function fromLocal(text: string): string | undefined {
  const at = text === "" ? Number.NaN : new Date(text).getTime();
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
