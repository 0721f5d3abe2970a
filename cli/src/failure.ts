import type { ServiceError } from "@grpc/grpc-js";
import { ErrorInfo, RpcStatus } from "../../proto/gen/sidestep/internal/v1/rpc.ts";
import { errorDomain, statusDetailsTrailer } from "../../proto/wire/headers.ts";
import { code, codeName } from "../../proto/wire/status.ts";

/** How the command ends; docs/cli.md lists them. */
export const exit = {
  ok: 0,
  error: 1,
  usage: 2,
  runFailed: 3,
  runStopped: 4,
  notFound: 5,
  timedOut: 6,
  unreachable: 7,
  findings: 10,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** Why a command could not do what it was asked: what happened, where, what to do next. */
export class CliFailure extends Error {
  readonly where: string;
  readonly next: string;
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, what: string, where: string, next: string, cause?: unknown) {
    super(what, { cause });
    this.name = "CliFailure";
    this.where = where;
    this.next = next;
    this.exitCode = exitCode;
  }
}

/** The three lines of a failure. */
export function failureText({ message, where, next }: CliFailure): string {
  return `Error: ${message}\nWhere: ${where}\nWhat next: ${next}\n`;
}

/** What an orchestrator's error says besides code and message. */
export interface ErrorDetails {
  /** `reason` of our ErrorInfo; empty: it has none of ours. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly details: RpcStatus["details"];
}

/** Reads grpc-status-details-bin. */
export function errorDetails(error: ServiceError): ErrorDetails {
  const trailer = error.metadata.get(statusDetailsTrailer)[0];
  const details = trailer instanceof Uint8Array ? RpcStatus.decode(trailer).details : [];
  for (const { typeUrl, value } of details) {
    if (!typeUrl.endsWith("/google.rpc.ErrorInfo")) continue;
    const found = ErrorInfo.decode(value);
    if (found.domain === errorDomain) return { reason: found.reason, metadata: found.metadata, details };
  }
  return { reason: "", metadata: {}, details };
}

/** A failed call of the orchestrator at `address` as the command's failure. */
export function toCliFailure(error: ServiceError, address: string): CliFailure {
  const { reason } = errorDetails(error);
  const where = `the orchestrator at ${address}${reason === "" ? "" : `, reason ${reason}`}`;
  const make = (exitCode: ExitCode, what: string, next: string): CliFailure =>
    new CliFailure(exitCode, what, where, next, error);
  switch (error.code) {
    case code.CANCELLED:
      // Our calls are never cancelled from here: the orchestrator closed the connection while it shut down.
      return make(exit.unreachable, "the orchestrator closed the connection", "try again");
    case code.UNAVAILABLE:
      return reason === ""
        ? make(
            exit.unreachable,
            "the orchestrator can't be reached",
            "start one with `sidestep orchestrator`, or give its address: --address or SIDESTEP_ADDRESS",
          )
        : make(
            exit.unreachable,
            error.details,
            "try again; if it stays so, look at the orchestrator's log and at NATS",
          );
    case code.DEADLINE_EXCEEDED:
      // grpc-js's words for a connection that never came about.
      if (/Waiting for LB pick|remote_addr=undefined/.test(error.details)) {
        return make(
          exit.unreachable,
          "the orchestrator can't be reached: nothing answers there",
          "check the address: --address or SIDESTEP_ADDRESS",
        );
      }
      return make(
        exit.timedOut,
        "the orchestrator did not answer in time",
        "try again; if it stays so, look at its log",
      );
    case code.UNAUTHENTICATED:
      return make(
        exit.usage,
        error.details,
        "give --token, --token-file or SIDESTEP_TOKEN; `sidestep token create` makes one",
      );
    case code.PERMISSION_DENIED:
      return make(exit.error, error.details, "ask somebody who may; docs/security.md has who may what");
    case code.NOT_FOUND:
      return make(exit.notFound, error.details, nextForMissing(reason));
    case code.INVALID_ARGUMENT:
      return make(
        reason === "INVALID_RUN_ID" || reason === "INVALID_FILTER" ? exit.usage : exit.error,
        error.details,
        reason === "INVALID_FILTER"
          ? "mend the filter; docs/operations.md lists its fields"
          : "mend the request and try again",
      );
    case code.FAILED_PRECONDITION:
      return make(exit.error, error.details, nextForUnfit(reason));
    default:
      return make(exit.error, `${error.details} (${codeName(error.code)})`, "docs/errors.md explains the reasons");
  }
}

function nextForUnfit(reason: string): string {
  switch (reason) {
    case "INDEX_OFF":
      return "start it with another --index; `sidestep run describe <run id>` works without";
    case "TRIGGER_OF_CONTRACT":
      return "`sidestep trigger pause <id>` has it keep what comes; a deploy without it retires it";
    case "SCHEDULE_OF_CONTRACT":
      return "`sidestep schedule pause <id>` has it start nothing; a deploy without the trigger retires it";
    case "NOT_STARTED":
      return "`sidestep schedule describe <id>` shows what it starts";
    default:
      return "`sidestep run describe <run id>` shows the run as it stands";
  }
}

function nextForMissing(reason: string): string {
  switch (reason) {
    case "WORKFLOW_NOT_FOUND":
      return "`sidestep workflow list` shows what is deployed; `sidestep deploy` deploys";
    case "STEP_NOT_FOUND":
      return "`sidestep run describe <run id>` shows its steps; what undoes one is shown with --compensation";
    case "SCHEDULE_NOT_FOUND":
      return "check the id: `sidestep schedule list` shows them";
    case "TRIGGER_NOT_FOUND":
      return "check the id: `sidestep trigger list` shows them";
    default:
      return "check the id: `sidestep run start` and the header sidestep-run-id tell it";
  }
}
