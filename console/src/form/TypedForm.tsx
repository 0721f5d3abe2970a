import { useEffect, useMemo, useState } from "react";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { encode, readTypes } from "./descriptors.ts";
import type { Encoded } from "./descriptors.ts";
import { MessageForm } from "./MessageForm.tsx";

interface TypedFormProps {
  /** A FileDescriptorSet in base64. */
  readonly descriptors: string;
  /** Full name of the message. */
  readonly type: string;
  readonly first?: JsonObject | undefined;
  readonly onChange: (encoded: Encoded) => void;
}

/** A message to fill in: field by field, or as JSON. */
export function TypedForm({ descriptors, type, first, onChange }: TypedFormProps) {
  const registry = useMemo(() => readTypes(descriptors), [descriptors]);
  const message = registry.getMessage(type);
  const [value, setValue] = useState<JsonObject>(first ?? {});
  const [text, setText] = useState<string>();
  // What it begins with is given as it stands, also when nobody changes it: it may be in place of another type's.
  useEffect(() => {
    if (message !== undefined) onChange(encode(message, first ?? {}, registry));
  }, [message]);
  if (message === undefined) return <p className="muted">The type {type} is not known here.</p>;
  const change = (next: JsonObject): void => {
    setValue(next);
    onChange(encode(message, next, registry));
  };
  const read = (next: string): void => {
    setText(next);
    try {
      const parsed: JsonValue = next.trim() === "" ? {} : JSON.parse(next);
      onChange(encode(message, parsed, registry));
      if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) setValue(parsed);
    } catch (error) {
      onChange({ kind: "wrong", message: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <div className="stack tight">
      <div className="row">
        <code className="grow cut" title={type}>
          {type}
        </code>
        <button
          type="button"
          className="bare small"
          onClick={() => setText(text === undefined ? JSON.stringify(value, undefined, 2) : undefined)}
        >
          {text === undefined ? "As JSON" : "As fields"}
        </button>
      </div>
      {text === undefined ? (
        <MessageForm type={message} value={value} onChange={change} />
      ) : (
        <textarea
          className="mono"
          rows={12}
          aria-label={`${type} as JSON`}
          value={text}
          onChange={(event) => read(event.target.value)}
        />
      )}
    </div>
  );
}
