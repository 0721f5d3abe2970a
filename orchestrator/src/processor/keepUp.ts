import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Definitions } from "./definitions.ts";

export interface KeepUpOptions {
  readonly definitions: Pick<Definitions, "onChange">;
  /** Whether something may have to be done; asked twice a second. */
  readonly isDue: () => boolean;
  /** Does it. What it throws passes, and it is called again. */
  readonly reconcile: () => Promise<void>;
  /** What is said when it throws, once for each reason. */
  readonly failing: string;
  readonly logger: Log;
}

const lookEveryMs = 500;

/** Has what contracts ask for follow their deploys, one look at a time. Disposing of it leaves that to others. */
export function keepUp({ definitions, isDue, reconcile, failing, logger }: KeepUpOptions): Disposable {
  let isLooking = false;
  let told = "";
  const look = async (): Promise<void> => {
    if (isLooking || !isDue()) return;
    isLooking = true;
    try {
      await reconcile();
      told = "";
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told) logger.warn(failing, { error: reason });
      told = reason;
    } finally {
      isLooking = false;
    }
  };
  const timer = setInterval(() => void look(), lookEveryMs).unref();
  const stop = definitions.onChange(() => void look());
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      stop();
    },
  };
}
