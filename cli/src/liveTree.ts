import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { treeLines } from "./runTree.ts";
import type { Screen } from "./runTree.ts";

/** A run that is drawn over itself. */
export interface LiveTree {
  show(run: Run): void;
  stop(): void;
}

/** Where it is drawn. */
export interface Canvas {
  readonly write: (text: string) => void;
  readonly screen: () => Screen;
  readonly isColored: boolean;
}

const redrawEveryMs = 1_000;

/** A tree that is drawn anew at each change, and each second for the times in it. */
export function openLiveTree({ write, screen, isColored }: Canvas): LiveTree {
  let run: Run | undefined;
  let drawn = 0;
  const draw = (): void => {
    if (run === undefined) return;
    const lines = treeLines(run, screen(), Date.now(), isColored);
    const up = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
    write(`${up}${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  const redrawing = setInterval(draw, redrawEveryMs);
  return {
    show: (seen) => {
      run = seen;
      draw();
    },
    stop: () => clearInterval(redrawing),
  };
}
