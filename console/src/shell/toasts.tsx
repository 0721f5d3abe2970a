import { useSyncExternalStore } from "react";
import { Notice } from "../parts/pieces.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
}

let shown: readonly Toast[] = [];
let next = 0;
const readers = new Set<() => void>();

function set(toasts: readonly Toast[]): void {
  shown = toasts;
  readers.forEach((changed) => changed());
}

/** Says for some seconds that something was done. */
export function say(text: string): void {
  const id = next++;
  set([...shown.slice(-2), { id, text }]);
  setTimeout(() => set(shown.filter((one) => one.id !== id)), 5000);
}

export function Toasts() {
  const toasts = useSyncExternalStore(
    (changed) => {
      readers.add(changed);
      return () => void readers.delete(changed);
    },
    () => shown,
  );
  return (
    <div className="toasts" aria-live="polite">
      {toasts.map(({ id, text }) => (
        <Notice key={id} tone="done" icon="check">
          {text}
        </Notice>
      ))}
    </div>
  );
}
