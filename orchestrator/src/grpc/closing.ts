/** The moment at which waiting callers are sent away. A set and not an AbortSignal: leaving one of 10,000 must not search them all. */
export interface Closing {
  /** Calls `leave` when it closes, at once when it has. Returns how to stop that. */
  readonly onClose: (leave: () => void) => () => void;
  readonly close: () => void;
}

/** Open until it is closed. */
export function newClosing(): Closing {
  const leaving = new Set<() => void>();
  let isClosing = false;
  return {
    onClose: (leave) => {
      if (isClosing) leave();
      else leaving.add(leave);
      return () => void leaving.delete(leave);
    },
    close: () => {
      isClosing = true;
      for (const leave of leaving) leave();
      leaving.clear();
    },
  };
}
