import { useMemo } from "react";
import type { Definition } from "../api/definition.ts";
import { Copy } from "../parts/pieces.tsx";
import { sourceLines } from "./sourceText.ts";

/** The workflow as text. */
export function Source({ definition }: { readonly definition: Definition }) {
  const lines = useMemo(() => sourceLines(definition), [definition]);
  return (
    <div className="card">
      <header>
        <h2 className="grow">Version {definition.version}</h2>
        <Copy text={lines.join("\n")} what="the source" />
      </header>
      <pre className="source" tabIndex={0} aria-label="Source">
        {lines.map((line, at) => (
          <span key={at} className="line">
            <span className="number" aria-hidden="true">
              {at + 1}
            </span>
            {coloured(line)}
            {"\n"}
          </span>
        ))}
      </pre>
    </div>
  );
}

function coloured(line: string) {
  const read = /^(\s*)([\w ]+?)(: )(.*)$/.exec(line);
  if (read === null) return <span className="block">{line}</span>;
  const [, indent, name, colon, value = ""] = read;
  return (
    <>
      {indent}
      <span className="json-key">{name}</span>
      {colon}
      <span className={value.startsWith("'") ? "json-text" : "json-value"}>{value}</span>
    </>
  );
}
