import { useLayoutEffect, useRef } from "react";
import { navigate } from "./navigation.tsx";
import { toHref } from "./route.ts";
import type { Route } from "./route.ts";

/** Where "g" and a second key lead. */
export const goTo: Readonly<Record<string, { readonly name: string; readonly route: Route }>> = {
  o: { name: "Overview", route: { page: "overview" } },
  r: { name: "Runs", route: { page: "runs" } },
  w: { name: "Workflows", route: { page: "workflows" } },
  c: { name: "Schedules", route: { page: "schedules" } },
  t: { name: "Triggers", route: { page: "triggers" } },
  s: { name: "Services", route: { page: "services" } },
  i: { name: "Incidents", route: { page: "incidents" } },
  a: { name: "Approvals", route: { page: "approvals" } },
  u: { name: "Audit", route: { page: "audit" } },
};

const secondKeyMs = 1200;

/** Listens to the keys of the whole console; none counts while something is being typed or a dialog is open. */
export function useKeys(openHelp: () => void): void {
  const help = useRef(openHelp);
  useLayoutEffect(() => {
    help.current = openHelp;
  });
  // As soon as anything is drawn.
  useLayoutEffect(() => {
    let goneAt = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (event.timeStamp - goneAt < secondKeyMs) {
        goneAt = -Infinity;
        const place = goTo[event.key];
        if (place !== undefined) navigate(toHref(place.route));
        return;
      }
      if (event.key === "g") goneAt = event.timeStamp;
      else if (event.key === "?") help.current();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLElement>("[data-search]");
        if (search === null) navigate(toHref({ page: "runs" }));
        else search.focus();
        event.preventDefault();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  if (document.querySelector("dialog[open]") !== null) return true;
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}
