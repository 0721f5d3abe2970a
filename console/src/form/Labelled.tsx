import { useId } from "react";
import type { ReactNode } from "react";

interface Named {
  readonly name: string;
  /** What the .proto file says of it; empty: nothing. */
  readonly help: string;
}

/** What an input is called by: its own id, and that of its help. */
export interface InputIds {
  readonly id: string;
  readonly "aria-describedby"?: string | undefined;
}

/** A name, an input and its help. */
export function Labelled({
  name,
  help,
  isFlag = false,
  children,
}: Named & {
  /** The name stands behind it. */
  readonly isFlag?: boolean;
  readonly children: (ids: InputIds) => ReactNode;
}) {
  const id = useId();
  const label = (
    <label htmlFor={id} className="name">
      {name}
    </label>
  );
  const input = children({ id, "aria-describedby": help === "" ? undefined : `${id}-help` });
  return (
    <div className="field">
      {isFlag ? (
        <div className="flag">
          {input}
          {label}
        </div>
      ) : (
        <>
          {label}
          {input}
        </>
      )}
      <Help id={`${id}-help`} text={help} />
    </div>
  );
}

/** Inputs that belong together. */
export function Group({
  legend,
  help,
  className,
  children,
}: {
  readonly legend: ReactNode;
  readonly help: string;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <fieldset className={className} aria-describedby={help === "" ? undefined : id}>
      <legend>{legend}</legend>
      <Help id={id} text={help} />
      {children}
    </fieldset>
  );
}

function Help({ id, text }: { readonly id: string; readonly text: string }) {
  return text === "" ? undefined : (
    <span className="help" id={id}>
      {text}
    </span>
  );
}
