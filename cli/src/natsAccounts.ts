import { sharedSubjects, sidecarSubjects } from "../../proto/wire/sidecarSubjects.ts";
import { serviceToken, splitMethod, toNames } from "../../proto/wire/subjects.ts";

/** A NATS account for the sidecars that stand beside some services: what they may do is what these services need. */
export interface SidecarAccount {
  readonly name: string;
  /** Full names. */
  readonly services: readonly string[];
}

/** What an account is given of the orchestrators' one. */
interface Export {
  readonly kind: "service" | "stream";
  readonly subject: string;
  /** More than one message answers a request. */
  readonly isStreamed?: boolean;
  readonly accounts: readonly string[];
}

/** The account that has the streams, for orchestrators and for people. */
export const orchestratorAccount = "SIDESTEP";

/**
 * The block `accounts` of a nats-server configuration: one account for the orchestrators, and one for each kind of sidecar, which sees of it just the
 * subjects of its own services. Permissions inside one account don't contain a sidecar: the subject for a reply is not checked against them, and an
 * empty answer to a pull is carried out as a request by the JetStream API that it names.
 */
export function natsAccountsText(
  accounts: readonly SidecarAccount[],
  methods: readonly string[],
  prefix: string,
): string {
  const exports = [
    ...accounts.flatMap(({ name, services }) =>
      services.flatMap((service) => exportsOf(prefix, service, methods, name)),
    ),
    ...sharedSubjects(prefix).map((subject): Export => ({
      kind: "service",
      subject,
      accounts: accounts.map(({ name }) => name),
    })),
  ];
  return [
    "accounts {",
    `  ${orchestratorAccount} {`,
    "    jetstream: enabled",
    `    users: [{ user: sidestep, password: $${passwordVariable(orchestratorAccount)} }]`,
    "    exports: [",
    ...exports.map((one) => `      ${exportText(one)}`),
    "    ]",
    "  }",
    ...accounts.flatMap((account) => accountLines(account, exports)),
    "}",
    "",
  ].join("\n");
}

/** Name of an account for one service. */
export function accountName(service: string): string {
  return serviceToken(service);
}

/** The variable of nats-server's environment that has an account's password. */
export function passwordVariable(account: string): string {
  return `${account.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_PASSWORD`;
}

function exportsOf(prefix: string, service: string, methods: readonly string[], account: string): readonly Export[] {
  const names = toNames(prefix);
  const consumers = [
    names.taskConsumer(service),
    ...methods
      .filter((method) => splitMethod(method).service === service)
      .map((method) => names.limitedConsumer(method)),
  ];
  const accounts = [account];
  return [
    ...sidecarSubjects(prefix, service).map((subject): Export => ({ kind: "service", subject, accounts })),
    { kind: "stream", subject: names.controlSubject(service), accounts },
    ...consumers.flatMap((consumer): readonly Export[] => [
      {
        kind: "service",
        subject: `$JS.API.CONSUMER.MSG.NEXT.${names.tasksStream}.${consumer}`,
        isStreamed: true,
        accounts,
      },
      { kind: "service", subject: `$JS.ACK.${names.tasksStream}.${consumer}.>`, accounts },
    ]),
  ];
}

function exportText({ kind, subject, isStreamed, accounts }: Export): string {
  const answered = isStreamed === true ? ", response_type: stream" : "";
  return `{ ${kind}: ${quoted(subject)}${answered}, accounts: [${accounts.map(quoted).join(", ")}] }`;
}

function accountLines({ name, services }: SidecarAccount, exports: readonly Export[]): readonly string[] {
  const imports = exports.filter(({ accounts }) => accounts.includes(name));
  return [
    `  # ${services.join(", ")}`,
    `  ${quoted(name)} {`,
    `    users: [{ user: ${quoted(name)}, password: $${passwordVariable(name)} }]`,
    "    imports: [",
    ...imports.map(
      ({ kind, subject }) => `      { ${kind}: { account: ${orchestratorAccount}, subject: ${quoted(subject)} } }`,
    ),
    "    ]",
    "  }",
  ];
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
