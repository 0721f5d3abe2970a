import type { ReactNode } from "react";
import { ActButton } from "../session/ActButton.tsx";
import type { Action } from "./ActionDialog.tsx";

/** A small button in a row, which opens the dialog of an action. */
export function ActionButton({
  action,
  of,
  onOpen,
  children = action.name,
}: {
  readonly action: Action;
  /** What it is about, for who hears it without its row. */
  readonly of: string;
  readonly onOpen: (action: Action) => void;
  readonly children?: ReactNode;
}) {
  return (
    <ActButton
      method={action.method}
      className={action.isDangerous ? "small danger" : "small"}
      aria-label={`${action.name}: ${of}`}
      onClick={() => onOpen(action)}
    >
      {children}
    </ActButton>
  );
}
