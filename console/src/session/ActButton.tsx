import type { ComponentProps } from "react";
import { useRefusal } from "./session.ts";

type ActButtonProps = Omit<ComponentProps<"button">, "type" | "title" | "disabled"> & {
  /** The rpc that it leads to: "sidestep.v1.Runs/Cancel". */
  readonly method: string;
};

/** A button for what not everybody may do: who may not sees it, and why. */
export function ActButton({ method, ...rest }: ActButtonProps) {
  const refusal = useRefusal(method);
  return <button {...rest} type="button" disabled={refusal !== undefined} title={refusal} aria-description={refusal} />;
}
