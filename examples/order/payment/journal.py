"""Every call that did something, one JSON line each; it is read again at the next start."""

import datetime
import json
import os


class Journal:
    def __init__(self, file):
        self._file = file
        self._effects = []
        if os.path.exists(file):
            with open(file, "rb+") as stream:
                text = stream.read()
                # A line that the last process did not finish was never answered.
                finished = text[: text.rfind(b"\n") + 1]
                stream.truncate(len(finished))
            entries = [json.loads(line) for line in finished.splitlines()]
            self._effects = [it for it in entries if it["outcome"] == "effect"]
        self._answers = {(it["method"], it["key"]): it["answer"] for it in self._effects}

    def effects(self):
        return self._effects

    def answer_of(self, method, key):
        return self._answers.get((method, key)) if key else None

    def append(self, **entry):
        now = datetime.datetime.now(datetime.timezone.utc)
        time = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with open(self._file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"time": time, **entry}, ensure_ascii=False, separators=(",", ":")) + "\n")
        if entry["outcome"] == "effect":
            self._answers[(entry["method"], entry["key"])] = entry["answer"]
