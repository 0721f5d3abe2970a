import fs from "node:fs";

/** Every call that did something, one JSON line each; it is read again at the next start. */
export function openJournal(file) {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
  // A line that the last process did not finish was never answered.
  if (lines.at(-1))
    fs.truncateSync(
      file,
      Buffer.byteLength(
        lines
          .slice(0, -1)
          .map((line) => `${line}\n`)
          .join(""),
      ),
    );
  const answers = new Map(
    lines
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .filter((entry) => entry.outcome === "effect")
      .map((entry) => [`${entry.method} ${entry.key}`, entry.answer]),
  );
  return {
    answerOf: (method, key) => (key === "" ? undefined : answers.get(`${method} ${key}`)),
    append(entry) {
      fs.appendFileSync(file, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
      if (entry.outcome === "effect") answers.set(`${entry.method} ${entry.key}`, entry.answer);
    },
  };
}
