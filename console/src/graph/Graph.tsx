import { useLayoutEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { Icon } from "../parts/pieces.tsx";
import { stepLooks, iconPaths } from "../parts/states.ts";
import { shortMethod, mediumMethod, shownName } from "./definition.ts";
import type { DefinedStep } from "./definition.ts";
import type { Drawing, Edge, Shape } from "./drawing.ts";
import { kindPaths } from "./kinds.ts";
import { layOut } from "./layout.ts";
import { cut, labelCharacters } from "./measure.ts";
import type { Mark, Overlay } from "./overlay.ts";
import { pathAlong } from "./path.ts";
import "./graph.css";

/** What is chosen in a graph: a step, or what undoes it. */
export interface Chosen {
  readonly step: string;
  readonly compensation: boolean;
}

interface GraphProps {
  readonly steps: readonly DefinedStep[];
  /** Undefined: the definition alone. */
  readonly overlay?: Overlay | undefined;
  readonly chosen?: Chosen | undefined;
  readonly onChoose: (chosen: Chosen | undefined) => void;
  readonly title: string;
}

const scales = [0.4, 0.55, 0.7, 0.85, 1, 1.2, 1.5] as const;

/** A workflow as a picture, with how far a run has come. */
export function Graph({ steps, overlay, chosen, onChoose, title }: GraphProps) {
  const drawing = useMemo(() => layOut(steps), [steps]);
  const [scale, setScale] = useState(4);
  const factor = scales[scale] ?? 1;
  const view = useRef<HTMLDivElement>(null);
  const chosenName = chosen === undefined ? "" : `${chosen.step} ${chosen.compensation}`;
  // What is chosen is in view; where nothing is, the beginning.
  useLayoutEffect(() => {
    const element = view.current;
    const wanted = element?.querySelector(".chosen") ?? element?.querySelector(".terminal");
    if (element !== null && wanted !== null && wanted !== undefined) bringIntoView(element, wanted);
  }, [chosenName, drawing]);
  const zoom = (by: number): void => setScale((now) => Math.max(0, Math.min(scales.length - 1, now + by)));
  return (
    <div className="graph">
      <div className="graph-tools" role="group" aria-label="Size of the graph">
        <button type="button" className="small" onClick={() => zoom(-1)} disabled={scale === 0} aria-label="Smaller">
          −
        </button>
        <button
          type="button"
          className="small"
          onClick={() => setScale(4)}
          aria-label={`${Math.round(factor * 100)} %, back to natural size`}
        >
          {Math.round(factor * 100)} %
        </button>
        <button
          type="button"
          className="small"
          onClick={() => zoom(1)}
          disabled={scale === scales.length - 1}
          aria-label="Larger"
        >
          +
        </button>
      </div>
      <div className="graph-view" ref={view} tabIndex={0} role="region" aria-label={title}>
        <svg
          width={drawing.width * factor}
          height={drawing.height * factor}
          viewBox={`0 0 ${drawing.width} ${drawing.height}`}
          role="group"
          aria-label={title}
        >
          <Arrows />
          <Content drawing={drawing} overlay={overlay} chosen={chosen} onChoose={onChoose} />
        </svg>
      </div>
      {overlay === undefined ? undefined : <Legend />}
    </div>
  );
}

/** Pixels around what is chosen. */
const brim = 40;

/** Scrolls the view, and nothing around it, when the element is not wholly in it. */
function bringIntoView(view: Element, element: Element): void {
  const [outer, inner] = [view.getBoundingClientRect(), element.getBoundingClientRect()];
  if (inner.left < outer.left + brim || inner.right > outer.right - brim)
    view.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2;
  if (inner.top < outer.top + brim || inner.bottom > outer.bottom - brim)
    view.scrollTop += (inner.top + inner.bottom - outer.top - outer.bottom) / 2;
}

function Arrows() {
  return (
    <defs>
      {["plain", "passed"].map((name) => (
        <marker
          key={name}
          id={`arrow-${name}`}
          viewBox="0 0 8 8"
          refX="6.5"
          refY="4"
          markerWidth="7"
          markerHeight="7"
          orient="auto-start-reverse"
        >
          <path className={`arrow ${name}`} d="M1 1l6 3-6 3z" />
        </marker>
      ))}
    </defs>
  );
}

function Content({
  drawing,
  overlay,
  chosen,
  onChoose,
}: Pick<GraphProps, "overlay" | "chosen" | "onChoose"> & { readonly drawing: Drawing }) {
  const boxes = drawing.shapes.filter(({ kind }) => kind === "box");
  const others = drawing.shapes.filter(({ kind }) => kind !== "box");
  const isPassed = (edge: Edge): boolean => overlay?.isPassed(edge.passage) === true;
  // What was gone along lies over what was not.
  const edges = drawing.edges.toSorted((a, b) => Number(isPassed(a)) - Number(isPassed(b)));
  const draw = (shape: Shape, at: number) => (
    <Drawn key={at} shape={shape} overlay={overlay} chosen={chosen} onChoose={onChoose} />
  );
  return (
    <>
      {boxes.map(draw)}
      {edges.map((edge, at) => (
        <path
          key={at}
          className={`edge ${edge.kind}${isPassed(edge) ? " passed" : ""}${overlay === undefined ? "" : " overlaid"}`}
          d={pathAlong(edge.points)}
          markerEnd={edge.arrow ? `url(#arrow-${isPassed(edge) ? "passed" : "plain"})` : undefined}
        />
      ))}
      {others.map(draw)}
    </>
  );
}

function Drawn({
  shape,
  overlay,
  chosen,
  onChoose,
}: Pick<GraphProps, "overlay" | "chosen" | "onChoose"> & { readonly shape: Shape }) {
  const { x, y, width, height } = shape;
  switch (shape.kind) {
    case "start":
    case "end":
      return <circle className={`terminal ${shape.kind}`} cx={x + width / 2} cy={y + height / 2} r={width / 2 - 1} />;
    case "label":
      return (
        <g className={`way${shape.expression ? " cel" : ""}`}>
          <rect x={x} y={y} width={width} height={height} rx={height / 2} />
          <text x={x + width / 2} y={y + height / 2 + 4}>
            {cut(shape.text, labelCharacters)}
          </text>
          <title>{shape.text}</title>
        </g>
      );
    case "card":
    case "fork":
    case "box":
    case "undo": {
      const compensation = shape.kind === "undo";
      const mark = (compensation ? overlay?.undos : overlay?.steps)?.get(shape.step.name);
      const isChosen = chosen?.step === shape.step.name && chosen.compensation === compensation;
      const choose = (): void => onChoose(isChosen ? undefined : { step: shape.step.name, compensation });
      const onKeyDown = (event: KeyboardEvent): void => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      };
      return (
        <g
          className={`node ${shape.kind} ${toneOf(mark, overlay !== undefined)}${isChosen ? " chosen" : ""}`}
          transform={`translate(${x} ${y})`}
          role="button"
          tabIndex={0}
          aria-pressed={isChosen}
          aria-label={spoken(shape.step, mark, compensation)}
          data-step={shape.step.name}
          onClick={choose}
          onKeyDown={onKeyDown}
        >
          <Node shape={shape} mark={mark} />
        </g>
      );
    }
  }
}

function Node({
  shape,
  mark,
}: {
  readonly shape: Extract<Shape, { readonly step: DefinedStep }>;
  readonly mark: Mark | undefined;
}) {
  const { step, width, height } = shape;
  const names = textOf(shape);
  const head = shape.kind === "box" ? 40 : height;
  const badge = mark?.state === undefined ? 8 : 36 + 7 * manyOf(mark).length;
  const room = (width - 44 - badge) / 8;
  return (
    <>
      {step.kind === "for_each" ? (
        <rect className="behind" x={5} y={5} width={width} height={height} rx={12} />
      ) : undefined}
      <rect
        className="body"
        width={width}
        height={height}
        rx={shape.kind === "fork" ? height / 2 : shape.kind === "box" ? 12 : 9}
      />
      {shape.kind === "box" ? <path className="rule" d={`M0 40H${width}`} /> : undefined}
      <path
        className="kind"
        transform={`translate(14 ${head / 2 - 9}) scale(1.125)`}
        d={kindPaths[shape.kind === "undo" ? "undo" : step.kind] ?? kindPaths["call"] ?? ""}
      />
      <text className="name" x={42} y={names.below === "" ? head / 2 + 5 : head / 2 - 3}>
        {cut(names.name, Math.floor(room))}
      </text>
      {names.below === "" ? undefined : (
        <text className="below" x={42} y={head / 2 + 14}>
          {cut(names.below, Math.floor(room * 1.25))}
        </text>
      )}
      {mark?.state === undefined ? undefined : <Badge mark={mark} x={width - 28} y={head / 2 - 9} />}
      <title>
        {[names.name, step.method, mark?.state?.toLowerCase().replaceAll("_", " ")]
          .filter((it) => it !== undefined && it !== "")
          .join("\n")}
      </title>
    </>
  );
}

function textOf({ kind, step }: Extract<Shape, { readonly step: DefinedStep }>): {
  readonly name: string;
  readonly below: string;
} {
  const setting = (name: string): string => step.settings.find((one) => one.name === name)?.text ?? "";
  if (kind === "undo") return { name: step.method === "" ? "undo" : shortMethod(step.method), below: "" };
  if (kind === "box") {
    const detail =
      step.kind === "for_each"
        ? `${setting("as")} in ${setting("in")}`
        : step.kind === "loop"
          ? setting("until") || setting("while")
          : "";
    return { name: step.id === "" ? step.kind.replace("_", " ") : step.id, below: detail };
  }
  if (kind === "fork") {
    const need = setting("need");
    return {
      name:
        step.id === "" && step.title === ""
          ? step.kind === "parallel"
            ? need === ""
              ? "all of"
              : need
            : "which way"
          : shownName(step),
      below: "",
    };
  }
  const name = shownName(step);
  const below =
    step.method === "" ? leafDetail(step, setting) || step.kind.replaceAll("_", " ") : mediumMethod(step.method);
  return { name, below: below === name ? step.kind : below };
}

function leafDetail(step: DefinedStep, setting: (name: string) => string): string {
  switch (step.kind) {
    case "wait":
      return `wait ${setting("for") || `until ${setting("until")}`}`;
    case "signal":
      return `signal ${setting("name")}${setting("timeout") === "" ? "" : `, ${setting("timeout")}`}`;
    case "approve":
      return `approval${setting("timeout") === "" ? "" : `, ${setting("timeout")}`}`;
    case "fail":
      return setting("code");
    case "let":
    case "return":
    case "yield":
      return setting("value");
    case "emit":
      return setting("subject");
    default:
      return "";
  }
}

/** The state as a picture; of several passes how many are in it. */
function Badge({ mark, x, y }: { readonly mark: Mark; readonly x: number; readonly y: number }) {
  const state = mark.state;
  if (state === undefined) return undefined;
  const many = manyOf(mark);
  return (
    <g className="badge">
      <circle cx={x + 9} cy={y + 9} r={10} />
      <path transform={`translate(${x + 1.5} ${y + 1.5}) scale(0.94)`} d={iconPaths[stepLooks[state].icon]} />
      {many === "" ? undefined : (
        <text x={x - 6} y={y + 13}>
          {many}
        </text>
      )}
    </g>
  );
}

/** "3/5" of passes, "×3" of attempts. */
function manyOf({ counts, passes, attempts }: Mark): string {
  const done = (counts.get("COMPLETED") ?? 0) + (counts.get("SKIPPED") ?? 0);
  return passes > 1 ? `${done}/${passes}` : attempts > 1 ? `×${attempts}` : "";
}

function toneOf(mark: Mark | undefined, isOverlaid: boolean): string {
  if (!isOverlaid || mark === undefined) return "plain";
  if (mark.state === undefined) return mark.isPassedBy ? "passed-by" : "ahead";
  return `begun tone-${stepLooks[mark.state].tone}${mark.state === "SKIPPED" ? " skipped" : ""}`;
}

function spoken(step: DefinedStep, mark: Mark | undefined, compensation: boolean): string {
  const state =
    mark === undefined
      ? ""
      : mark.state === undefined
        ? mark.isPassedBy
          ? ", not taken"
          : ", not begun"
        : `, ${stepLooks[mark.state].word}`;
  const passes = mark !== undefined && mark.passes > 1 ? `, ${mark.passes} passes` : "";
  return `${compensation ? "compensation of " : ""}${shownName(step)}, ${step.kind.replaceAll("_", " ")}${state}${passes}`;
}

function Legend() {
  const shown = ["COMPLETED", "RUNNING", "WAITING", "BACKING_OFF", "FAILED", "SKIPPED"] as const;
  return (
    <ul className="legend" aria-label="What the colours mean">
      {shown.map((state) => (
        <li key={state} className={`tone-${stepLooks[state].tone}`}>
          <Icon name={stepLooks[state].icon} /> {stepLooks[state].word}
        </li>
      ))}
      <li className="muted">
        <span className="dashes" aria-hidden="true" /> not taken
      </li>
    </ul>
  );
}
