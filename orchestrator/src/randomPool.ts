/** Unguessable bytes. */
export type RandomBytes = (count: number) => Uint8Array;

const poolBytes = 4_096;

/** The same, drawn many at a time, for a draw costs as much as making a start. None is given out twice. */
export function openRandomPool(draw: RandomBytes): RandomBytes {
  let pool: Uint8Array = new Uint8Array();
  let at = 0;
  return (count) => {
    if (count > poolBytes) return draw(count);
    if (at + count > pool.length) {
      pool = draw(poolBytes);
      at = 0;
    }
    at += count;
    return pool.subarray(at - count, at);
  };
}
