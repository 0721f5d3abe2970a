/** One call that a service has begun: the truth, whatever anybody heard of it. */
export interface Execution {
  readonly runId: string;
  /** Of its attempt. */
  readonly id: string;
  readonly step: string;
  readonly phase: number;
  readonly attempt: number;
  readonly startedAt: number;
  /** When its effect happened; undefined: it had none. */
  effectAt: number | undefined;
  readonly answer: string;
}
