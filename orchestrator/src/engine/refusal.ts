/** Why a message to a run changes nothing, where its sender is to be told: a reason of google.rpc.ErrorInfo. */
export type Refusal =
  /** The same id came before, and was taken then. */
  | "DUPLICATE"
  /** The workflow has no signal of that name. */
  | "SIGNAL_NOT_FOUND"
  /** As many signals wait to be taken as may. */
  | "SIGNAL_LIMIT"
  | "PAYLOAD_TOO_LARGE"
  /** No approve step waits there. */
  | "NO_APPROVAL"
  | "NOT_AN_APPROVER"
  /** What the run came to can't be taken over by another one from there on. */
  | "CANNOT_RERUN"
  /** Another run goes on in place of it already. */
  | "ALREADY_RERUN";
