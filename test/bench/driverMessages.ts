/** What the benchmark asks of its driver. */
export type DriverRequest =
  | { readonly kind: "latency"; readonly address: string; readonly method: string; readonly count: number }
  | {
      readonly kind: "load";
      /** Front doors; callers are spread over them. */
      readonly addresses: readonly string[];
      readonly method: string;
      /** Runs in flight at any time. */
      readonly runs: number;
      readonly warmMs: number;
      readonly windowMs: number;
    }
  /** So many runs at once, over several connections; each waits for its answer. */
  | { readonly kind: "burst"; readonly address: string; readonly method: string; readonly count: number }
  /** Starts so many a second, spread evenly, whether or not earlier ones have ended. */
  | {
      readonly kind: "pace";
      readonly address: string;
      readonly method: string;
      readonly perSecond: number;
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
  | {
      readonly kind: "burst";
      /** By status code. */
      readonly answers: Readonly<Record<string, number>>;
      /** Of those that were RESOURCE_EXHAUSTED, how many said when to try again. */
      readonly withRetryInfo: number;
      readonly seconds: number;
      /** How long those took that ended well. */
      readonly okMillis: readonly number[];
    }
  | {
      readonly kind: "pace";
      /** How long those took that ended well. */
      readonly okMillis: readonly number[];
      /** When each of them was started, from the beginning. */
      readonly startedMs: readonly number[];
      readonly errors: number;
      readonly lastError: string;
    }
  | { readonly kind: "failed"; readonly message: string };
