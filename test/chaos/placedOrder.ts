/** An order that was placed and answered. Times are this process's clock. */
export interface PlacedOrder {
  readonly orderId: string;
  readonly runId: string;
  readonly isDeclined: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
}
