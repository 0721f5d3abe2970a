/** How long a peer may say nothing. */
export type Keepalive = {
  /** One that was silent for so long, and at the most for twice that, is asked whether it is there. */
  readonly silentMs: number;
  /** Whatever comes by then is an answer. */
  readonly answerMs: number;
};

/** What is told of a connection whose peer's silence is watched. */
export type Silence = {
  /** Something came. */
  break(): void;
  stop(): void;
};

/** Watches a peer's silence: `ask` is to make it say something, `onGone` is told when it does not. A peer whose host is gone says nothing, not even that it is gone. */
export function watchSilence({ silentMs, answerMs }: Keepalive, ask: () => void, onGone: () => void): Silence {
  let isSilent = false;
  let gone: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (isSilent && gone === undefined) {
      ask();
      gone = setTimeout(onGone, answerMs).unref();
    }
    isSilent = true;
  };
  const timer = setInterval(look, silentMs).unref();
  return {
    break: () => {
      isSilent = false;
      if (gone === undefined) return;
      clearTimeout(gone);
      gone = undefined;
    },
    stop: () => {
      clearInterval(timer);
      clearTimeout(gone);
    },
  };
}
