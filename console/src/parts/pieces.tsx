import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import type { ApiError } from "../api/call.ts";
import type { RunState, Status } from "../api/run.ts";
import type { StepState } from "../graph/overlay.ts";
import { Link } from "../navigation.tsx";
import { toHref } from "../route.ts";
import { durationText, instantText, relativeText, useNow } from "./clock.ts";
import { iconPaths, runLooks, stepLooks } from "./states.ts";
import type { IconName, Look } from "./states.ts";

/** A small picture beside a word. */
export function Icon({ name, size = 14 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={iconPaths[name]} />
    </svg>
  );
}

/** A state as picture, word and tone. */
export function Chip({ look, children }: { readonly look: Look; readonly children?: ReactNode }) {
  return (
    <span className={`chip tone-${look.tone}`}>
      <Icon name={look.icon} />
      {children ?? look.word}
    </span>
  );
}

export function RunChip({ state, held = false }: { readonly state: RunState; readonly held?: boolean }) {
  return held && (state === "RUNNING" || state === "PAUSED") ? (
    <Chip look={{ word: "held", tone: "waiting", icon: "pause" }}>paused</Chip>
  ) : (
    <Chip look={runLooks[state]} />
  );
}

export function StepChip({ state }: { readonly state: StepState }) {
  return <Chip look={stepLooks[state]} />;
}

/** A point in time: how long ago, the very instant on hover. */
export function When({ at }: { readonly at: number | undefined }) {
  const now = useNow(at !== undefined);
  if (at === undefined) return <span className="muted">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={instantText(at)}>
      {relativeText(at, now)}
    </time>
  );
}

/** How long it has lasted by now: "for 4 min", the instant of its beginning on hover. */
export function Lasting({ from }: { readonly from: number | undefined }) {
  const now = useNow(from !== undefined);
  if (from === undefined) return undefined;
  return (
    <time dateTime={new Date(from).toISOString()} title={`since ${instantText(from)}`}>
      for {durationText(Math.max(0, now - from))}
    </time>
  );
}

/** Something to tell before all else. */
export function Notice({
  tone,
  icon,
  children,
}: {
  readonly tone: Look["tone"];
  readonly icon: IconName;
  readonly children: ReactNode;
}) {
  return (
    <div className={`notice tone-${tone}`} role={tone === "failed" ? "alert" : "status"}>
      <Icon name={icon} size={16} />
      <div className="grow">{children}</div>
    </div>
  );
}

/** What the API refused, with what it said to do. */
export function Failure({ error }: { readonly error: ApiError }) {
  return (
    <Notice tone="failed" icon="warning">
      <strong>{error.reason === "" ? error.code : error.reason}</strong> {error.message}
    </Notice>
  );
}

/** A status of a call: code, message, details. */
export function StatusText({ status }: { readonly status: Status }) {
  return (
    <div className="stack tight">
      <div>
        <code className="code-name">{status.code}</code> {status.message}
      </div>
      {status.details.map((detail, at) => (
        <pre className="code" key={at} tabIndex={0} aria-label="detail of the error">
          {JSON.stringify(detail, undefined, 2)}
        </pre>
      ))}
    </div>
  );
}

/** A run by the end of its id, which is what tells runs of one moment apart. */
export function RunLink({ runId }: { readonly runId: string }) {
  return (
    <Link className="mono" href={toHref({ page: "run", runId })} title={runId}>
      {runId.slice(0, 8)}…{runId.slice(-6)}
    </Link>
  );
}

/** A workflow: its method, the service behind it on hover. */
export function WorkflowLink({ workflow }: { readonly workflow: string }) {
  return (
    <Link href={toHref({ page: "workflow", workflow })} title={workflow}>
      {workflow.slice(workflow.lastIndexOf(".") + 1)}
    </Link>
  );
}

/** A button that puts a text on the clipboard. */
export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = (): void => void navigator.clipboard.writeText(text).then(() => setCopied(true));
  return (
    <button type="button" className="bare small" onClick={copy} aria-label={`Copy ${what}`}>
      {isCopied ? "Copied" : "Copy"}
    </button>
  );
}

/** Nothing here, and what would change that. */
export function Empty({
  title,
  isPage = false,
  children,
}: {
  readonly title: string;
  /** It is all there is on the page. */
  readonly isPage?: boolean;
  readonly children?: ReactNode;
}) {
  return (
    <div className="empty">
      {isPage ? <h1>{title}</h1> : <strong>{title}</strong>}
      {children}
    </div>
  );
}

/** A dialog over the page; Escape and a click beside it close it. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={onClose}
      onMouseDown={(event) => event.target === event.currentTarget && onClose()}
    >
      <div>
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
