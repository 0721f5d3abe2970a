import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import type { Definition } from "../api/definition.ts";
import { list, object, text } from "../api/json.ts";
import { Link } from "../navigation.tsx";
import { failedOf, totalOf, useCounts } from "../parts/counts.ts";
import { Empty } from "../parts/pieces.tsx";
import { toHref } from "../route.ts";

const looked = 1000;

/** At which steps the runs of a version failed, of its newest failures. */
export function StepRates({ definition }: { readonly definition: Definition }) {
  const { workflow, version } = definition;
  const own = `workflow == "${workflow}" && version == ${version}`;
  const filter = `${own} && (incidents > 0 || state in [FAILED, COMPENSATED, COMPENSATION_FAILED])`;
  const answer = useAnswer("sidestep.v1.Runs/List", { filter, pageSize: looked });
  const { counts } = useCounts(own);
  const rows = useMemo(() => bySteps(answer.value), [answer.value]);
  const runs = totalOf(counts);
  const failed = rows.reduce((sum, [, count]) => sum + count, 0);
  const needPerson = totalOf(counts.filter(({ state }) => state === "PAUSED"));
  if (answer.isLoading) return <div className="skeleton" style={{ height: 160 }} aria-busy="true" />;
  if (rows.length === 0)
    return (
      <div className="card">
        <Empty title="No run of this version has failed" />
      </div>
    );
  return (
    <div className="card scroll">
      <header>
        <h2 className="grow">
          {failedOf(counts)} of {runs} {runs === 1 ? "run" : "runs"} failed, {needPerson}{" "}
          {needPerson === 1 ? "needs" : "need"} a person
        </h2>
        <span className="muted">{failed} newest looked at</span>
      </header>
      <table>
        <thead>
          <tr>
            <th>Step</th>
            <th className="number">Failures</th>
            <th className="number">Of all runs</th>
            <th style={{ width: "40%" }}>
              <span className="unseen">Share</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([step, count]) => (
            <tr key={step}>
              <td>
                <Link href={toHref({ page: "runs" }, { q: `${own} && ${failedAt(step)}` })}>
                  <code>{step === "" ? "the run itself" : step}</code>
                </Link>
              </td>
              <td className="number">{count}</td>
              <td className="number">{runs === 0 ? "" : `${((count / runs) * 100).toFixed(1)} %`}</td>
              <td>
                <span className="share tone-failed" style={{ width: `${(count / (rows[0]?.[1] ?? 1)) * 100}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Passes of a step are one. */
function placeOf(path: string): string {
  return path.replaceAll(/\[\d+\](?=\/)/g, "");
}

function failedAt(step: string): string {
  const name = step.slice(step.lastIndexOf("/") + 1);
  return step === name ? `step == ${JSON.stringify(step)}` : `step.endsWith(${JSON.stringify(`/${name}`)})`;
}

function bySteps(answer: Parameters<typeof object>[0]): readonly (readonly [string, number])[] {
  const counted = new Map<string, number>();
  for (const step of list(object(answer), "runs", (one) => placeOf(text(one, "errorStep"))))
    counted.set(step, (counted.get(step) ?? 0) + 1);
  return [...counted].toSorted((a, b) => b[1] - a[1]);
}
