/** Work that is in no hurry, done in portions, so that what comes meanwhile does not wait for all of it. */
export interface Portions {
  /** Does it at once while there is room, else in its turn. What it returns counts as under way until it resolves; it never rejects. */
  add(work: Work): void;
}

type Work = () => Promise<void> | undefined;

const compactFrom = 1024;

/** At most `size` begin before the event loop has looked at everything else again, and at most `underWayMax` are under way. */
export function openPortions(size: number, underWayMax: number): Portions {
  let queue: Work[] = [];
  let first = 0;
  let left = size;
  let underWay = 0;
  let isRenewing = false;
  const begin = (work: Work): void => {
    left--;
    renewLater();
    const done = work();
    if (done === undefined) return;
    underWay++;
    void done.then(() => {
      underWay--;
      goOn();
    });
  };
  const goOn = (): void => {
    while (left > 0 && underWay < underWayMax) {
      const work = queue[first];
      if (work === undefined) break;
      first++;
      begin(work);
    }
    if (first < compactFrom && first < queue.length) return;
    queue = queue.slice(first);
    first = 0;
  };
  const renewLater = (): void => {
    if (isRenewing) return;
    isRenewing = true;
    setTimeout(() => {
      isRenewing = false;
      left = size;
      goOn();
    }, 0);
  };
  return {
    add: (work) => {
      if (first === queue.length && left > 0 && underWay < underWayMax) begin(work);
      else queue.push(work);
    },
  };
}
