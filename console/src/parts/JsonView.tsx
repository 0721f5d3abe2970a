import type { Json } from "../api/json.ts";
import { Copy } from "./pieces.tsx";

/** A decoded payload, with the name of its type. */
export function JsonView({ value, label }: { readonly value: Json; readonly label: string }) {
  const text = JSON.stringify(value, undefined, 2);
  return (
    <figure className="json">
      <figcaption>
        <span className="mono muted cut grow" title={label}>
          {label}
        </span>
        <Copy text={text} what={label} />
      </figcaption>
      <pre className="code" tabIndex={0} aria-label={label}>
        {coloured(text)}
      </pre>
    </figure>
  );
}

const colouredMax = 60_000;

/** Names, texts and numbers in tones of their own; a large payload is plain. */
function coloured(text: string) {
  if (text.length > colouredMax) return text;
  return text
    .split(/("(?:[^"\\]|\\.)*"(?:\s*:)?|\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/)
    .map((part, at) => {
      if (at % 2 === 0) return part;
      const kind = part.endsWith(":") ? "key" : part.startsWith('"') ? "text" : "value";
      return (
        <span key={at} className={`json-${kind}`}>
          {part}
        </span>
      );
    });
}
