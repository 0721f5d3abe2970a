"use strict";

const fs = require("node:fs");

/** Every call that did something, one JSON line each; it is read again at the next start. */
function openJournal(file) {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
  // A line that the last process did not finish was never answered.
  const finished = lines.slice(0, -1).map((line) => JSON.parse(line));
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
  const effects = finished.filter((entry) => entry.outcome === "effect");
  const answers = new Map(effects.map((entry) => [`${entry.method} ${entry.key}`, entry.answer]));
  return {
    effects: () => effects,
    answerOf: (method, key) => (key === "" ? undefined : answers.get(`${method} ${key}`)),
    append(entry) {
      fs.appendFileSync(file, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
      if (entry.outcome === "effect") answers.set(`${entry.method} ${entry.key}`, entry.answer);
    },
  };
}

module.exports = { openJournal };
