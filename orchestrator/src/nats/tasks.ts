import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Tasks } from "../processor/ports.ts";
import type { Writer } from "./write.ts";

/**
 * The task stream. The same attempt again, `recheck` or not, counts as the same task. Where a method's tasks go is known by `isLimited`: an
 * owner that hears of a limit late does no harm, for sidecars move what they get on the wrong way.
 */
export function toTasks(names: Names, writer: Writer, isLimited: (method: string) => boolean): Tasks {
  const stream = names.tasksStream;
  return {
    publish: (method, id, data, limits) => {
      const subject = isLimited(method) ? names.limitedSubject(method) : names.taskSubject(method);
      return writer.write(
        {
          stream,
          subject,
          data,
          headers: "",
          id,
          onConflict: { kind: "last", subject },
          isOurs: ({ subject: found, data: stored }) =>
            (found === names.taskSubject(method) || found === names.limitedSubject(method)) && sameToken(stored, data),
        },
        limits,
      );
    },
  };
}

function sameToken(a: Uint8Array, b: Uint8Array): boolean {
  try {
    return Buffer.compare(Task.decode(a).token, Task.decode(b).token) === 0;
  } catch {
    return false;
  }
}
