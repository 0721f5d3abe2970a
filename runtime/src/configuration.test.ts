import { expect, test } from "vitest";
import { helpText, markdownTable, readConfiguration } from "./configuration.ts";
import type { Sources } from "./configuration.ts";
import { choice, duration, integer, port, requiredText, text, texts, toggle } from "./setting.ts";

const table = {
  service: requiredText({ flag: "service", doc: "Where it is.", placeholder: "<address>" }),
  expose: texts({ flag: "expose", doc: "What to offer." }, (one) =>
    one.includes(".") ? undefined : "a name such as shop.v1.Orders",
  ),
  concurrency: integer({ flag: "concurrency", doc: "Calls at once." }, 32, { min: 1, max: 1000 }),
  adminPort: port({ flag: "admin-port", doc: "The port." }, 7430),
  grace: duration({ flag: "grace", doc: "How long." }, "30s"),
  natsUrl: text({ flag: "nats-url", env: "NATS_URL", doc: "The server." }),
  natsPassword: integer({ flag: "nats-password", env: "NATS_PASSWORD", doc: "A secret.", isSecret: true }, 1, {
    min: 1,
    max: 2,
  }),
  verbose: toggle({ flag: "verbose", doc: "Says more." }, false),
  level: choice({ flag: "level", doc: "How much." }, "info", ["debug", "info"]),
};

function sources(given: Partial<Sources>): Sources {
  return { args: [], environment: {}, readFile: () => "{}", ...given };
}

test("a flag wins over the variable, the variable over the file, the file over the default", () => {
  const reading = readConfiguration(
    table,
    sources({
      args: [
        "--service",
        "a:1",
        "--concurrency=3",
        "--config",
        "f.json",
        "--verbose",
        "--expose",
        "a.B,c.D",
        "--expose=e.F",
      ],
      environment: { SIDESTEP_CONCURRENCY: "4", SIDESTEP_GRACE: "1.5s", NATS_URL: "nats://x", SIDESTEP_LEVEL: "" },
      readFile: () => JSON.stringify({ grace: "9s", adminPort: 80, level: "debug" }),
    }),
  );
  expect(reading).toEqual({
    kind: "settings",
    settings: {
      service: "a:1",
      expose: ["a.B", "c.D", "e.F"],
      concurrency: 3,
      adminPort: 80,
      grace: 1500,
      natsUrl: "nats://x",
      natsPassword: 1,
      verbose: true,
      level: "debug",
    },
  });
});

test("every problem is told at once, with name, value and accepted form, but never a secret", () => {
  const reading = readConfiguration(
    table,
    sources({
      args: ["--expose", "x", "--concurrency", "many", "--adminport", "1", "stray", "--grace"],
      environment: { SIDESTEP_ADMIN_PORT: "70000", NATS_PASSWORD: "hunter2", SIDESTEP_CONFIG: "f.json" },
      readFile: () => JSON.stringify({ consurrency: 3, level: "loud" }),
    }),
  );
  expect(reading.kind === "problems" ? reading.problems : []).toEqual([
    "--adminport is not known; did you mean --admin-port?",
    '"1" is not a flag; expected --<flag> <value>',
    '"stray" is not a flag; expected --<flag> <value>',
    "--grace needs a value",
    `consurrency in f.json is not a setting; settings are ${Object.keys(table).join(", ")}`,
    "--service (or SIDESTEP_SERVICE) is needed: Where it is.",
    '--expose is "x"; expected a name such as shop.v1.Orders',
    '--concurrency is "many"; expected a whole number from 1 to 1000',
    'SIDESTEP_ADMIN_PORT is "70000"; expected a whole number from 0 to 65535',
    "NATS_PASSWORD is set; expected a whole number from 1 to 2",
    'level in the configuration file is "loud"; expected one of debug, info',
  ]);
});

test("--help wins over problems, and the manual is made from the table", () => {
  expect(readConfiguration(table, sources({ args: ["--what", "--help"] })).kind).toBe("help");
  const help = helpText("sidestep sidecar", "About.", table);
  for (const setting of Object.values(table)) expect(help).toContain(`--${setting.flag}`);
  expect(help).toContain("Calls at once. Default 32. [SIDESTEP_CONCURRENCY]");
  expect(markdownTable(table)).toContain("| `--nats-url <text>` | `NATS_URL` | `natsUrl` |  | The server. |");
});

test("a file that is not there or not JSON is one problem", () => {
  const missing = sources({
    args: ["--config", "gone.json", "--service", "a"],
    readFile: () => {
      throw new Error("ENOENT");
    },
  });
  expect(readConfiguration(table, missing)).toEqual({
    kind: "problems",
    problems: ["the configuration file gone.json can't be read as JSON: ENOENT"],
  });
});
