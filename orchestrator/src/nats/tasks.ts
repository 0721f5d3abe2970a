import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Tasks } from "../processor/ports.ts";
import type { Writer } from "./write.ts";

/** The task stream. The same attempt again, `recheck` or not, counts as the same task. */
export function toTasks(names: Names, writer: Writer): Tasks {
  const stream = names.tasksStream;
  return {
    publish: (method, id, data, limits) => {
      const subject = names.taskSubject(method);
      return writer.write(
        {
          stream,
          subject,
          data,
          headers: "",
          id,
          onConflict: { kind: "last", subject },
          isOurs: (stored) => stored.subject === subject && sameToken(stored.data, data),
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
