import { expect, test } from "vitest";
import { openReach } from "./reach.ts";
import type { LogTail } from "./ports.ts";

/** A log whose looks are answered by hand. */
function makeLog() {
  const looks: PromiseWithResolvers<LogTail>[] = [];
  const log = {
    tail: () => {
      const look = Promise.withResolvers<LogTail>();
      looks.push(look);
      return look.promise;
    },
  };
  const reach = openReach({ log, epoch: 3, position: () => 0, now: () => 0 });
  return { reach, looks, answer: (at: number, sequence: number) => looks[at]?.resolve({ sequence, ownerEpoch: 3 }) };
}

/** Everything that is settled has been heard of. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("all who ask in one turn share a look at the log's end", async () => {
  const { reach, looks, answer } = makeLog();
  reach.delivered(7);
  const asked = [reach.standing(), reach.standing(), reach.standing()];
  await settled();
  expect(looks).toHaveLength(1);
  answer(0, 7);
  expect(await Promise.all(asked)).toEqual(["up to date", "up to date", "up to date"]);
});

test("who asks after a look was sent is told by the next one, which is sent once that is answered", async () => {
  const { reach, looks, answer } = makeLog();
  reach.delivered(7);
  const first = reach.standing();
  await settled();
  const later = [reach.standing(), reach.standing()];
  await settled();
  expect(looks).toHaveLength(1);
  answer(0, 7);
  expect(await first).toBe("up to date");
  await expect.poll(() => looks.length).toBe(2);
  const isTold = Promise.race([Promise.all(later), settled().then(() => "not yet")]);
  expect(await isTold).toBe("not yet");
  answer(1, 9);
  await settled();
  reach.delivered(8);
  expect(await Promise.race([Promise.all(later), settled().then(() => "not yet")])).toBe("not yet");
  reach.delivered(9);
  expect(await Promise.all(later)).toEqual(["up to date", "up to date"]);
  expect(looks).toHaveLength(2);
});

test("a loop that does not come so far is behind, and so is one that has been left", async () => {
  const { reach, looks, answer } = makeLog();
  const asked = reach.standing();
  await settled();
  answer(0, 4);
  expect(await asked).toBe("behind");
  const again = reach.standing();
  await expect.poll(() => looks.length).toBe(2);
  answer(1, 4);
  await settled();
  reach.leave();
  expect(await again).toBe("behind");
});

test("another owner's record is heeded however far the loop has come", async () => {
  const { reach, looks } = makeLog();
  reach.delivered(9);
  const asked = reach.standing();
  await settled();
  looks[0]?.resolve({ sequence: 9, ownerEpoch: 4 });
  expect(await asked).toBe("overtaken");
});

test("a look that fails fails those who share it, and nobody else", async () => {
  const { reach, looks, answer } = makeLog();
  reach.delivered(1);
  const asked = [reach.standing(), reach.standing()];
  await settled();
  looks[0]?.reject(new Error("the log does not answer"));
  for (const one of asked) await expect(one).rejects.toThrow("does not answer");
  const next = reach.standing();
  await expect.poll(() => looks.length).toBe(2);
  answer(1, 1);
  expect(await next).toBe("up to date");
});
