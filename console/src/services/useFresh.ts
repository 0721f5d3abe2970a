import { useEffect } from "react";
import { refresh } from "../api/ask.ts";

/** Asks again every few seconds what begins with the name, while somebody looks: there is no stream that would tell. */
export function useFresh(prefix: string, everyMs = 5_000): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") refresh(prefix);
    }, everyMs);
    return () => clearInterval(timer);
  }, [prefix, everyMs]);
}
