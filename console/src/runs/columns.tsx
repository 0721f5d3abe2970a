import type { ReactNode } from "react";
import { hasEnded } from "../api/run.ts";
import { durationText } from "../parts/clock.ts";
import { RunChip, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import type { Listed } from "./rows.ts";
import type { WaitingText } from "./useWaiting.ts";

/** A row as it is shown. */
export interface ShownRow extends Listed {
  /** Of a live run, as soon as it is known. */
  readonly waiting: WaitingText | undefined;
}

/** A column of the list of runs. */
export interface Column {
  readonly id: string;
  readonly name: string;
  /** As CSS grid has it. */
  readonly width: string;
  readonly cell: (row: ShownRow, now: number) => ReactNode;
}

const own: readonly Column[] = [
  { id: "state", name: "State", width: "150px", cell: ({ run }) => <RunChip state={run.state} held={run.held} /> },
  { id: "run", name: "Run", width: "136px", cell: ({ run }) => <RunLink runId={run.runId} /> },
  {
    id: "workflow",
    name: "Workflow",
    width: "minmax(150px, 1.2fr)",
    cell: ({ run }) => <WorkflowLink workflow={run.workflow} />,
  },
  { id: "version", name: "Version", width: "72px", cell: ({ run }) => run.version },
  {
    id: "key",
    name: "Key",
    width: "minmax(96px, 1fr)",
    cell: ({ run }) => (
      <span className="mono" title={run.key}>
        {run.key}
      </span>
    ),
  },
  { id: "started", name: "Started", width: "88px", cell: ({ run }) => <When at={run.startedAt} /> },
  {
    id: "duration",
    name: "Duration",
    width: "96px",
    cell: ({ run }, now) => durationOf(run.startedAt, run.endedAt ?? (hasEnded(run) ? undefined : now)),
  },
  {
    id: "error",
    name: "Where it stands",
    width: "minmax(260px, 4.4fr)",
    cell: (row) => {
      const said = row.waiting?.sentence ?? failureText(row);
      return <span title={said}>{said}</span>;
    },
  },
  {
    id: "step",
    name: "Step",
    width: "minmax(90px, 1fr)",
    cell: ({ waiting, errorStep }) => <span className="mono">{waiting?.step ?? errorStep}</span>,
  },
  { id: "ended", name: "Ended", width: "104px", cell: ({ run }) => <When at={run.endedAt} /> },
  { id: "id", name: "Whole id", width: "280px", cell: ({ run }) => <span className="mono">{run.runId}</span> },
];

/** Those that are shown when nothing was chosen. */
export const usualColumns = ["state", "run", "workflow", "key", "started", "duration", "error"];

/** All columns there are, with one for each attribute. */
export function columnsFor(attributes: readonly string[]): readonly Column[] {
  return [
    ...own,
    ...attributes.map((name): Column => ({
      id: `attributes.${name}`,
      name,
      width: "minmax(90px, 1fr)",
      cell: ({ run }) => <span className="mono">{run.attributes[name]?.replace(/^"(.*)"$/, "$1")}</span>,
    })),
  ];
}

/** What the index knows of how it failed, or of its incident. */
function failureText({ run, errorStep, approvals }: Listed): string {
  const status = run.incidents[0]?.error ?? run.status;
  const what = status === undefined || status.code === "OK" ? "" : `${status.code} ${status.message}`;
  const said = [errorStep, what].filter((it) => it !== "").join(": ");
  return said === "" && approvals > 0 ? "waits for an approval" : said;
}

function durationOf(from: number | undefined, to: number | undefined): string {
  return from === undefined || to === undefined ? "" : durationText(Math.max(0, to - from));
}
