/** What the benchmark asks of its driver. */
export type DriverRequest =
  | { readonly kind: "latency"; readonly address: string; readonly method: string; readonly count: number }
  | {
      readonly kind: "load";
      readonly address: string;
      readonly method: string;
      /** Runs in flight at any time. */
      readonly runs: number;
      readonly warmMs: number;
      readonly windowMs: number;
    };

/** What the driver answers. `counting` and `counted` frame the window in which CPU is counted. */
export type DriverReply =
  | { readonly kind: "ready" }
  | { readonly kind: "counting" }
  | { readonly kind: "counted" }
  | { readonly kind: "latency"; readonly millis: readonly number[] }
  | {
      readonly kind: "load";
      readonly done: number;
      readonly seconds: number;
      readonly errors: number;
      readonly lastError: string;
    }
  | { readonly kind: "failed"; readonly message: string };
