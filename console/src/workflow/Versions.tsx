import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { toDefinition } from "../api/definition.ts";
import type { Workflow } from "../api/definition.ts";
import { navigate, useAddress, withQuery } from "../navigation.tsx";
import { Empty, When } from "../parts/pieces.tsx";
import { difference } from "./difference.ts";
import { sourceLines } from "./sourceText.ts";

/** All versions, and what two of them have different. */
export function Versions({ workflow }: { readonly workflow: Workflow }) {
  const address = useAddress();
  const [newest, second] = workflow.versions;
  const to = Number(address.searchParams.get("to") ?? newest?.version ?? 0);
  const from = Number(address.searchParams.get("from") ?? second?.version ?? 0);
  return (
    <div className="stack">
      <div className="card scroll">
        <table>
          <thead>
            <tr>
              <th>Version</th>
              <th>Deployed</th>
              <th>Hash</th>
              <th>Calls</th>
            </tr>
          </thead>
          <tbody>
            {workflow.versions.map((one) => (
              <tr key={one.version}>
                <td>
                  {one.version}
                  {one.version === workflow.activeVersion ? " (active)" : ""}
                </td>
                <td>
                  <When at={one.deployedAt} />
                </td>
                <td className="mono" title={one.hash}>
                  {one.hash.slice(0, 12)}
                </td>
                <td className="muted small-text">{one.methods.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {workflow.versions.length < 2 ? (
        <Empty title="It has one version">What changes shows here once there is another.</Empty>
      ) : (
        <div className="card">
          <header className="row">
            <h2 className="grow">What changed</h2>
            <Pick
              label="from"
              versions={workflow}
              value={from}
              onPick={(value) => navigate(withQuery(address, { from: value }), "replace")}
            />
            <Pick
              label="to"
              versions={workflow}
              value={to}
              onPick={(value) => navigate(withQuery(address, { to: value }), "replace")}
            />
          </header>
          <Difference workflow={workflow.workflow} from={from} to={to} />
        </div>
      )}
    </div>
  );
}

function Pick({
  label,
  versions,
  value,
  onPick,
}: {
  readonly label: string;
  readonly versions: Workflow;
  readonly value: number;
  readonly onPick: (value: string) => void;
}) {
  return (
    <label className="row">
      {label}
      <select className="narrow" value={value} onChange={(event) => onPick(event.target.value)}>
        {versions.versions.map(({ version }) => (
          <option key={version} value={version}>
            {version}
          </option>
        ))}
      </select>
    </label>
  );
}

function Difference({ workflow, from, to }: { readonly workflow: string; readonly from: number; readonly to: number }) {
  const before = useAnswer("sidestep.v1.Definitions/Describe", { workflow, version: from }).value;
  const after = useAnswer("sidestep.v1.Definitions/Describe", { workflow, version: to }).value;
  const lines = useMemo(
    () =>
      before === undefined || after === undefined
        ? undefined
        : difference(sourceLines(toDefinition(before)), sourceLines(toDefinition(after))),
    [before, after],
  );
  if (lines === undefined) return <div className="skeleton" style={{ height: 200 }} aria-busy="true" />;
  const signs = { same: " ", gone: "−", new: "+" } as const;
  return (
    <pre className="source diff" tabIndex={0} aria-label="What changed">
      {lines.map(({ kind, text }, at) => (
        <span key={at} className={`line ${kind}`}>
          {signs[kind]} {text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
