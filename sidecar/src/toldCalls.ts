import { code } from "../../proto/wire/status.ts";
import type { CarryCall } from "./wayIn.ts";

/** How a call ended, by a number of google.rpc.Code, and how long it took. */
export type TellCall = (method: string, number: number, durationMs: number) => void;

/** Tells the end of each call once, also of one that is given up: its caller is gone, or its time was over. */
export function toldCalls(carry: CarryCall, tell: TellCall, now: () => number): CarryCall {
  return (call, answer) => {
    const beganMs = now();
    let isTold = false;
    const tellOnce = (number: number): void => {
      if (isTold) return;
      isTold = true;
      tell(call.method, number, now() - beganMs);
    };
    const giveUp = carry(call, {
      headers: (headers) => answer.headers(headers),
      message: (bytes) => answer.message(bytes),
      end: (end) => {
        tellOnce(end.code);
        answer.end(end);
      },
    });
    return (why) => {
      giveUp(why);
      tellOnce(why === "late" ? code.DEADLINE_EXCEEDED : code.CANCELLED);
    };
  };
}
