import type { ParsedTask } from "./core/taskMessage.ts";
import type { Call, Delivery, Service } from "./ports.ts";

/** An attempt in hands; the same attempt delivered again joins it instead of running twice. */
export type Held = {
  /** Of the attempt. */
  readonly key: string;
  readonly task: ParsedTask;
  readonly service: Service;
  readonly deliveries: Delivery[];
  extendedAtMs: number;
  /** When its call was asked about last, or it came. */
  askedAtMs: number;
  call: Call | undefined;
  isReset: boolean;
  /** Bytes of its call may have left. */
  isBegun: boolean;
};
