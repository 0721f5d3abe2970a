import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { refresh, toApiError } from "../api/ask.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import type { Json } from "../api/json.ts";
import { object } from "../api/json.ts";
import type { Encoded } from "../form/descriptors.ts";
import { Dialog, Failure, Notice } from "../parts/pieces.tsx";
import { say } from "../shell/toasts.tsx";

const TypedForm = lazy(() => import("../form/TypedForm.tsx").then((it) => ({ default: it.TypedForm })));

/** Something that a person can have done. */
export interface Action {
  readonly name: string;
  /** What the button says that has it done, where the name could be taken for the way back. */
  readonly yes?: string;
  /** What it does, for who is about to do it. */
  readonly tells: string;
  readonly isDangerous: boolean;
  readonly method: string;
  readonly request: (given: { readonly reason: string; readonly message: string }) => Json;
  /** What is asked beside the reason. */
  readonly form?:
    | { readonly descriptors: string; readonly type: string; readonly first?: Json | undefined }
    | undefined;
  /** Name of the field for the reason; undefined: none is asked. */
  readonly reason?: string | undefined;
  /** What is said then; undefined: `onDone` says it. */
  readonly done?: string;
  readonly onDone?: (answer: ReturnType<typeof object>) => void;
}

/** Asks for what an action needs, and says what came of it. */
export function ActionDialog({
  action,
  onClose,
  children,
}: {
  readonly action: Action;
  readonly onClose: () => void;
  readonly children?: ReactNode;
}) {
  const [reason, setReason] = useState("");
  const [encoded, setEncoded] = useState<Encoded>({ kind: "encoded", base64: "" });
  const [error, setError] = useState<ApiError>();
  const [isUnderWay, setUnderWay] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (encoded.kind === "wrong" || isUnderWay) return;
    setUnderWay(true);
    setError(undefined);
    call(action.method, action.request({ reason, message: encoded.base64 }))
      .then((answer) => {
        if (action.done !== undefined) say(action.done);
        onClose();
        refresh("sidestep.v1.Runs/");
        action.onDone?.(answer);
      })
      .catch((thrown: unknown) => setError(toApiError(thrown)))
      .finally(() => setUnderWay(false));
  };
  const buttons = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (error !== undefined) buttons.current?.scrollIntoView({ block: "end" });
  }, [error]);
  const { form } = action;
  return (
    <Dialog title={action.yes ?? action.name} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <p>{action.tells}</p>
        {children}
        {form === undefined ? undefined : (
          <Suspense fallback={<div className="skeleton" style={{ height: 80 }} />}>
            <TypedForm
              key={form.type}
              descriptors={form.descriptors}
              type={form.type}
              first={form.first === undefined ? undefined : plainObject(form.first)}
              onChange={setEncoded}
            />
          </Suspense>
        )}
        {action.reason === undefined ? undefined : (
          <label className="field">
            <span className="name">{action.reason}</span>
            <input
              type="text"
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              placeholder="kept in the audit"
              autoFocus={form === undefined && children === undefined}
            />
          </label>
        )}
        {encoded.kind === "wrong" ? (
          <Notice tone="warned" icon="warning">
            {encoded.message}
          </Notice>
        ) : undefined}
        {error === undefined ? undefined : <Failure error={error} />}
        <div className="buttons" ref={buttons}>
          <button type="button" onClick={onClose}>
            Back
          </button>
          <button
            type="submit"
            className={action.isDangerous ? "danger primary" : "primary"}
            disabled={isUnderWay || encoded.kind === "wrong"}
          >
            {action.yes ?? action.name}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** A copy that can be changed. */
function plainObject(json: Json): Record<string, never> {
  const copy: Record<string, never> = JSON.parse(JSON.stringify(object(json)));
  return copy;
}
