import type { RunState } from "../api/run.ts";
import type { StepState } from "../graph/overlay.ts";

/** What a state is shown as: never by its tone alone. */
export interface Look {
  readonly word: string;
  readonly tone: "done" | "failed" | "warned" | "running" | "waiting" | "idle";
  readonly icon: IconName;
}

export type IconName =
  | "check"
  | "cross"
  | "pause"
  | "clock"
  | "play"
  | "skip"
  | "undo"
  | "lock"
  | "stop"
  | "retry"
  | "warning";

export const runLooks: Readonly<Record<RunState, Look>> = {
  RUNNING: { word: "running", tone: "running", icon: "play" },
  PAUSED: { word: "incident", tone: "failed", icon: "warning" },
  COMPENSATING: { word: "compensating", tone: "warned", icon: "undo" },
  COMPLETED: { word: "completed", tone: "done", icon: "check" },
  FAILED: { word: "failed", tone: "failed", icon: "cross" },
  COMPENSATED: { word: "compensated", tone: "warned", icon: "undo" },
  COMPENSATION_FAILED: { word: "compensation failed", tone: "failed", icon: "cross" },
  CANCELLED: { word: "cancelled", tone: "idle", icon: "stop" },
  TERMINATED: { word: "terminated", tone: "idle", icon: "stop" },
  CORRUPT: { word: "corrupt", tone: "failed", icon: "warning" },
};

/** The word for so many runs in a state: "2 completed", "2 incidents". */
export function countedWord(state: RunState, runs: number): string {
  const { word } = runLooks[state];
  return state === "PAUSED" && runs !== 1 ? `${word}s` : word;
}

export const stepLooks: Readonly<Record<StepState, Look>> = {
  RUNNING: { word: "running", tone: "running", icon: "play" },
  BACKING_OFF: { word: "backing off", tone: "warned", icon: "retry" },
  WAITING: { word: "waiting", tone: "waiting", icon: "clock" },
  COMPLETED: { word: "completed", tone: "done", icon: "check" },
  FAILED: { word: "failed", tone: "failed", icon: "cross" },
  SKIPPED: { word: "skipped", tone: "idle", icon: "skip" },
  PAUSED: { word: "incident", tone: "failed", icon: "warning" },
  CANCELLED: { word: "cancelled", tone: "idle", icon: "stop" },
  QUEUED: { word: "queued", tone: "waiting", icon: "lock" },
};

/** Shapes of icons in a square of 16. */
export const iconPaths: Readonly<Record<IconName, string>> = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  pause: "M5.5 4v8M10.5 4v8",
  clock: "M8 4.5V8l2.5 1.5M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8",
  play: "M5.5 3.8v8.4L12 8z",
  skip: "M3.5 4l5 4-5 4zM11.5 4v8",
  undo: "M6 3.5L3 6.5l3 3M3.5 6.5H9a3.5 3.5 0 0 1 0 7H6.5",
  lock: "M4 7.5h8v5.5H4zM5.5 7.5V5.5a2.5 2.5 0 0 1 5 0v2",
  stop: "M4.5 4.5h7v7h-7z",
  retry: "M12.5 8a4.5 4.5 0 1 1-1.4-3.3M12.8 2.5v2.8H10",
  warning: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.3",
};
