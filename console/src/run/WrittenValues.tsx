import type { Json } from "../api/json.ts";
import type { Evaluated } from "../api/step.ts";
import type { Step } from "../api/run.ts";
import type { DefinedStep } from "../graph/definition.ts";

interface WrittenValuesProps {
  readonly defined: DefinedStep;
  readonly step: Step | undefined;
  readonly expressions: readonly Evaluated[];
}

/** The definition's lines, each expression beside the value it had. */
export function WrittenValues({ defined, step, expressions }: WrittenValuesProps) {
  const cases = expressions.filter(({ name }) => name === "case");
  if (defined.settings.length === 0 && cases.length === 0) return undefined;
  return (
    <section className="stack tight">
      <h3>Definition</h3>
      <dl className="written">
        {cases.map((one, at) => (
          <Line key={`case ${one.text}`} name={`case ${at + 1}`} text={one.text} isExpression>
            <Gave name={`case ${at + 1}`} given={one} />
          </Line>
        ))}
        {defined.settings.map(({ name, text, expression }) => {
          const given = expressions.find((one) => one.name === name) ?? knownOtherwise(name, text, defined, step);
          return (
            <Line key={name} name={name} text={text} isExpression={expression}>
              {given === undefined ? undefined : <Gave name={name} given={given} />}
            </Line>
          );
        })}
      </dl>
    </section>
  );
}

function Line({
  name,
  text,
  isExpression,
  children,
}: {
  readonly name: string;
  readonly text: string;
  readonly isExpression: boolean;
  readonly children: React.ReactNode;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {isExpression ? <pre className="code">{text}</pre> : <code>{text}</code>}
        {children}
      </dd>
    </div>
  );
}

/** What an expression gave. */
function Gave({ name, given }: { readonly name: string; readonly given: Evaluated }) {
  if (given.hidden) return <p className="muted small-text">What it gave is not shown.</p>;
  if (given.error !== "") return <p className="tone-failed toned small-text">It failed: {given.error}</p>;
  return (
    <pre className="code value" tabIndex={0} aria-label={`value of ${name}`}>
      {shown(given.value)}
    </pre>
  );
}

function shown(value: Json | undefined): string {
  return JSON.stringify(value ?? {}, undefined, 2);
}

/** What is told of the step itself: by steps of runs that are archived, and by lists that are collected at the end. */
function knownOtherwise(
  name: string,
  text: string,
  defined: DefinedStep,
  step: Step | undefined,
): Evaluated | undefined {
  const value = valueOf(name, defined, step);
  return value === undefined ? undefined : { name, text, value, error: "", hidden: false };
}

function valueOf(name: string, defined: DefinedStep, step: Step | undefined): Json | undefined {
  if (step === undefined) return undefined;
  if (name === "when") return step.state !== "SKIPPED";
  if (name === "collect" || (name === "value" && defined.kind === "let")) return step.result;
  return name === "lock" && step.lock !== "" ? step.lock : undefined;
}
