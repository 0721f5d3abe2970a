/** What V8's profiler writes: a tree of frames, and which of them ran at each sample. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Of each sample, the id of the innermost frame. */
  readonly samples: readonly number[];
  /** Of each sample, the microseconds since the one before. */
  readonly timeDeltas: readonly number[];
}

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    /** Empty for a function without a name. */
    readonly functionName: string;
    /** file:, node:, or empty for what V8 does itself. */
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}
