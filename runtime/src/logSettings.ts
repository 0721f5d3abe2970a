import { levels } from "./log.ts";
import { choice } from "./setting.ts";

/** How every process of ours writes its log. */
export const logSettings = {
  logLevel: choice({ flag: "log-level", doc: "The least that is written." }, "info", levels),
  logFormat: choice(
    { flag: "log-format", doc: "Lines of JSON, or text for a person; auto is text on a terminal." },
    "auto",
    ["auto", "json", "text"],
  ),
};
