import { useSyncExternalStore } from "react";
import type { AnchorHTMLAttributes, MouseEvent } from "react";

/** The address as it is now; who calls it is drawn again when it changes. */
export function useAddress(): URL {
  const href = useSyncExternalStore(subscribe, () => location.href);
  return new URL(href);
}

/** Goes to an address of the console; `replace` leaves no step back. */
export function navigate(href: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(undefined, "", href);
  else history.replaceState(undefined, "", href);
  dispatchEvent(new Event(moved));
}

/** The address with some parameters changed; undefined and empty ones are left out. */
export function withQuery(address: URL, changes: Readonly<Record<string, string | undefined>>): string {
  const next = new URL(address);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") next.searchParams.delete(name);
    else next.searchParams.set(name, value);
  }
  return next.pathname + next.search;
}

const moved = "sidestep:moved";

function subscribe(changed: () => void): () => void {
  addEventListener("popstate", changed);
  addEventListener(moved, changed);
  return () => {
    removeEventListener("popstate", changed);
    removeEventListener(moved, changed);
  };
}

/** A link that stays in the page; with a modifier it is an ordinary one. */
export function Link(
  given: AnchorHTMLAttributes<HTMLAnchorElement> & { readonly href: string; readonly replace?: boolean },
) {
  const { replace, onClick, ...rest } = given;
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    navigate(given.href, replace === true ? "replace" : "push");
  };
  return <a {...rest} onClick={follow} />;
}
