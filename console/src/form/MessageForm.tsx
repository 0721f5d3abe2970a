import type { ReactNode } from "react";
import type { DescField, DescMessage, DescOneof, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { firstValue, shapeOf } from "./fieldShape.ts";
import type { Shape } from "./fieldShape.ts";
import { helpOf } from "./help.ts";
import { Group, Labelled } from "./Labelled.tsx";
import { ChoiceInput, FlagInput, InstantInput, JsonInput, TextInput } from "./plainInputs.tsx";
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
  const chosen = oneof.fields.find(({ jsonName }) => value[jsonName] !== undefined);
  const choose = (name: JsonValue | undefined): void => {
    const cleared = Object.fromEntries(oneof.fields.map(({ jsonName }) => [jsonName, undefined]));
    const field = oneof.fields.find((one) => one.name === name);
    set(field === undefined ? cleared : { ...cleared, [field.jsonName]: firstValue(shapeOf(field)) ?? "" });
  };
  return (
    <>
      <Labelled name={oneof.name} help={helpOf(oneof)}>
        {(ids) => (
          <ChoiceInput ids={ids} names={oneof.fields.map(({ name }) => name)} value={chosen?.name} onChange={choose} />
        )}
      </Labelled>
      {chosen === undefined ? undefined : (
        <FieldInput field={chosen} value={value[chosen.jsonName]} onChange={(one) => set({ [chosen.jsonName]: one })} />
      )}
    </>
  );
}

interface FieldInputProps {
  readonly field: DescField;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}

function FieldInput({ field, value, onChange }: FieldInputProps) {
  const { name } = field;
  const common = { name, help: helpOf(field), shape: shapeOf(field), value, onChange };
  switch (field.fieldKind) {
    case "list":
      return <ListInput {...common} />;
    case "map":
      return <MapInput {...common} />;
    case "scalar":
    case "enum":
    case "message":
      return <ValueInput {...common} />;
  }
}

interface ValueInputProps {
  readonly name: string;
  readonly help?: string;
  readonly shape: Shape;
  readonly value: JsonValue | undefined;
  readonly onChange: (value: JsonValue | undefined) => void;
}

function ValueInput({ name, help = "", shape, value, onChange }: ValueInputProps) {
  switch (shape.kind) {
    case "optional":
      return (
        <Optional name={name} help={help} value={value} first={firstValue(shape.of) ?? ""} onChange={onChange}>
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
        <Optional name={name} help={help} value={value} first={{}} onChange={onChange}>
          <MessageForm type={shape.type} value={isObject(value) ? value : {}} onChange={onChange} />
        </Optional>
      );
    case "flag":
    case "choice":
    case "text":
    case "instant":
    case "json":
      return (
        <Labelled name={name} help={help} isFlag={shape.kind === "flag"}>
          {(ids) => <PlainInput ids={ids} shape={shape} value={value} onChange={onChange} />}
        </Labelled>
      );
  }
}

function PlainInput({
  shape,
  ...rest
}: Parameters<typeof FlagInput>[0] & {
  readonly shape: Exclude<Shape, { readonly kind: "optional" | "message" }>;
}) {
  switch (shape.kind) {
    case "flag":
      return <FlagInput {...rest} />;
    case "choice":
      return <ChoiceInput {...rest} names={shape.names} />;
    case "text":
      return <TextInput {...rest} hint={shape.hint} isNumber={shape.isNumber} />;
    case "instant":
      return <InstantInput {...rest} />;
    case "json":
      return <JsonInput {...rest} hint={shape.hint} />;
  }
}

/** A value that is there or not, which is not the same as empty. */
function Optional({
  name,
  help,
  value,
  first,
  onChange,
  children,
}: {
  readonly name: string;
  readonly help: string;
  readonly value: JsonValue | undefined;
  readonly first: JsonValue;
  readonly onChange: (value: JsonValue | undefined) => void;
  readonly children: ReactNode;
}) {
  const legend = (
    <label>
      <input
        type="checkbox"
        checked={value !== undefined}
        onChange={(event) => onChange(event.target.checked ? first : undefined)}
      />{" "}
      {name}
    </label>
  );
  return (
    <Group legend={legend} help={help}>
      {value === undefined ? undefined : children}
    </Group>
  );
}

function ListInput({ name, help = "", shape, value, onChange }: ValueInputProps) {
  const items = Array.isArray(value) ? value : [];
  const put = (next: readonly JsonValue[]): void => onChange(next.length === 0 ? undefined : [...next]);
  return (
    <Many
      name={name}
      help={help}
      count={items.length}
      adds={name}
      onAdd={() => put([...items, firstOf(shape)])}
      nameOf={(at) => `${name}[${at}]`}
      onRemove={(at) => put(items.filter((_, index) => index !== at))}
    >
      {(at) => (
        <Element name={`${name}[${at}]`} shape={shape} value={items[at]} onChange={(one) => put(items.with(at, one))} />
      )}
    </Many>
  );
}

function MapInput({ name, help = "", shape, value, onChange }: ValueInputProps) {
  const entries = isObject(value) ? Object.entries(value) : [];
  const put = (next: readonly (readonly [string, JsonValue])[]): void =>
    onChange(next.length === 0 ? undefined : Object.fromEntries(next));
  return (
    <Many
      name={name}
      help={help}
      count={entries.length}
      adds="entry"
      onAdd={() => put([...entries, [`key${entries.length + 1}`, firstOf(shape)]])}
      nameOf={(at) => entries[at]?.[0] ?? ""}
      onRemove={(at) => put(entries.filter((_, index) => index !== at))}
    >
      {(at) => {
        const [key, one] = entries[at] ?? ["", ""];
        return (
          <div className="message">
            <Labelled name="key" help="">
              {(ids) => (
                <TextInput
                  ids={ids}
                  hint=""
                  isNumber={false}
                  value={key}
                  onChange={(next) => put(entries.with(at, [typeof next === "string" ? next : "", one]))}
                />
              )}
            </Labelled>
            <Element name="value" shape={shape} value={one} onChange={(next) => put(entries.with(at, [key, next]))} />
          </div>
        );
      }}
    </Many>
  );
}

/** Any number of inputs, each of which can be taken away, and a button for one more. */
function Many({
  name,
  help,
  count,
  adds,
  onAdd,
  nameOf,
  onRemove,
  children,
}: {
  readonly name: string;
  readonly help: string;
  readonly count: number;
  readonly adds: string;
  readonly onAdd: () => void;
  readonly nameOf: (at: number) => string;
  readonly onRemove: (at: number) => void;
  readonly children: (at: number) => ReactNode;
}) {
  const legend = (
    <>
      {name} <span className="muted">({count})</span>
    </>
  );
  return (
    <Group legend={legend} help={help} className="many">
      {Array.from({ length: count }, (_, at) => (
        <div className="item" key={at}>
          <div className="grow">{children(at)}</div>
          <button type="button" className="bare small" aria-label={`Remove ${nameOf(at)}`} onClick={() => onRemove(at)}>
            ✕
          </button>
        </div>
      ))}
      <button type="button" className="small" onClick={onAdd}>
        Add {adds}
      </button>
    </Group>
  );
}

/** One value of a list or a map: it is there, be it empty. */
function Element({
  name,
  shape,
  value,
  onChange,
}: Omit<ValueInputProps, "onChange"> & { readonly onChange: (value: JsonValue) => void }) {
  if (shape.kind === "message")
    return <MessageForm type={shape.type} value={isObject(value) ? value : {}} onChange={onChange} />;
  return <ValueInput name={name} shape={shape} value={value} onChange={(one) => onChange(one ?? firstOf(shape))} />;
}

function firstOf(shape: Shape): JsonValue {
  return firstValue(shape) ?? "";
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
