import { spawn } from "node:child_process";

/** Ends process groups when this process does, however that happens. */
export interface Keeper extends Disposable {
  /** From now on the group ends with this process. */
  guard(group: number): void;
  /** It has ended, and its number may become somebody else's. */
  release(group: number): void;
}

/**
 * Reads "+ 123" and "- 123" until the pipe closes, which not even a kill -9 of the writer prevents; then whatever is left is asked to end, and
 * made to after five seconds. In a session of its own it gets no Ctrl-C of a terminal, and it outlives the hang-up of one.
 */
const script = `
trap '' HUP INT TERM QUIT
all=' '
while read -r what group; do
  case $what in
  +) all="$all$group " ;;
  -) case $all in *" $group "*) all="\${all%%" $group "*} \${all#*" $group "}" ;; esac ;;
  esac
done
tell() { for group in $all; do kill -s "$1" -- "-$group" 2>/dev/null; done; }
left() { for group in $all; do kill -s 0 -- "-$group" 2>/dev/null && return 0; done; return 1; }
tell TERM
tries=50
while left && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
tell KILL
`;

/** Starts one: a shell, for it has to cost nothing. */
export function openKeeper(cwd: string): Keeper {
  const child = spawn("/bin/sh", ["-c", script], { cwd, detached: true, stdio: ["pipe", "ignore", "ignore"] });
  child.unref();
  const { stdin } = child;
  // Somebody has killed it: nothing is kept then, and nothing else is lost.
  stdin.on("error", () => undefined);
  child.on("error", () => undefined);
  return {
    guard: (group) => void stdin.write(`+ ${group}\n`),
    release: (group) => void stdin.write(`- ${group}\n`),
    [Symbol.dispose]: () => void stdin.end(),
  };
}
