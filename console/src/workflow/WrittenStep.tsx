import type { Definition } from "../api/definition.ts";
import { allSteps, shownName } from "../graph/definition.ts";
import type { Chosen } from "../graph/Graph.tsx";

/** What stands in the definition of one step. */
export function WrittenStep({
  definition,
  chosen,
  onClose,
}: {
  readonly definition: Definition;
  readonly chosen: Chosen;
  readonly onClose: () => void;
}) {
  const written = allSteps(definition.steps).find(({ name }) => name === chosen.step);
  const step = chosen.compensation ? written?.compensation : written;
  return (
    <aside className="card panel" aria-label={`Step ${chosen.step}`}>
      <header>
        <h2 className="grow cut">
          {chosen.compensation ? "Undo " : ""}
          {written === undefined ? chosen.step : shownName(written)}
        </h2>
        <button type="button" className="bare small" onClick={onClose} aria-label="Close the panel">
          ✕
        </button>
      </header>
      <div className="in stack">
        {step === undefined ? (
          <p className="muted">This version has no such step.</p>
        ) : (
          <>
            <dl className="pairs">
              <dt>kind</dt>
              <dd>{step.kind.replaceAll("_", " ")}</dd>
              {step.method === "" ? undefined : (
                <>
                  <dt>method</dt>
                  <dd>
                    <code>{step.method}</code>
                  </dd>
                </>
              )}
              {step.requestType === "" ? undefined : (
                <>
                  <dt>request</dt>
                  <dd>
                    <code>{step.requestType}</code>
                  </dd>
                </>
              )}
              {step.resultType === "" ? undefined : (
                <>
                  <dt>result</dt>
                  <dd>
                    <code>{step.resultType}</code>
                  </dd>
                </>
              )}
            </dl>
            <dl className="written">
              {step.settings.map(({ name, text, expression }) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{expression ? <pre className="code">{text}</pre> : <code>{text}</code>}</dd>
                </div>
              ))}
            </dl>
          </>
        )}
      </div>
    </aside>
  );
}
