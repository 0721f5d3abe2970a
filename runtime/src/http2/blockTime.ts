/** What is told of a connection whose blocks of headers have to become whole. */
export type BlockTime = {
  /** Something came; `openBlock` is the number of the block that is not whole, 0 for none. */
  look(openBlock: number): void;
  stop(): void;
};

/** Bounds the time that a block of headers takes to become whole, however much of it comes meanwhile: until then its pieces are held. */
export function boundBlocks(withinMs: number, onLate: () => void): BlockTime {
  let known = 0;
  let late: NodeJS.Timeout | undefined;
  return {
    look: (openBlock) => {
      if (openBlock === known) return;
      clearTimeout(late);
      known = openBlock;
      late = openBlock === 0 ? undefined : setTimeout(onLate, withinMs).unref();
    },
    stop: () => clearTimeout(late),
  };
}
