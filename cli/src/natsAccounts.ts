import { sharedSubjects, sidecarSubjects } from "../../proto/wire/sidecarSubjects.ts";
import { serviceToken, splitMethod, toNames } from "../../proto/wire/subjects.ts";

/** A NATS account for the sidecars that stand beside some services: what they may do is what these services need. */
export interface SidecarAccount {
  readonly name: string;
  /** Full names. */
  readonly services: readonly string[];
}

/** What services may do besides being called by workflows. */
export interface ServiceWays {
  /** Full names of those that call workflows through their sidecars. */
  readonly callers: readonly string[];
  /** Who calls whose methods through both sidecars; full names. */
  readonly mesh: readonly { readonly called: string; readonly caller: string }[];
}

/** What accounts are given of another one. */
interface Export {
  /** Whose it is. */
  readonly of: string;
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
  ways: ServiceWays,
): string {
  const all = accounts.map(({ name }) => name);
  const exports = [
    ...accounts.flatMap(({ name, services }) =>
      services.flatMap((service) => exportsOf(prefix, service, methods, name)),
    ),
    ...sharedSubjects(prefix).map((subject) => serviceOf(orchestratorAccount, subject, all)),
    ...wayExports(accounts, prefix, ways),
  ];
  return [
    "accounts {",
    `  ${orchestratorAccount} {`,
    "    jetstream: enabled",
    `    users: [{ user: sidestep, password: $${passwordVariable(orchestratorAccount)} }]`,
    ...exportLines(orchestratorAccount, exports),
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

function exportsOf(prefix: string, name: string, methods: readonly string[], account: string): readonly Export[] {
  const names = toNames(prefix);
  const consumers = [
    names.taskConsumer(name),
    ...methods.filter((method) => splitMethod(method).service === name).map((method) => names.limitedConsumer(method)),
  ];
  const accounts = [account];
  return [
    ...sidecarSubjects(prefix, name).map((subject) => serviceOf(orchestratorAccount, subject, accounts)),
    { of: orchestratorAccount, kind: "stream", subject: names.controlSubject(name), accounts },
    ...consumers.flatMap((consumer): readonly Export[] => [
      {
        ...serviceOf(orchestratorAccount, `$JS.API.CONSUMER.MSG.NEXT.${names.tasksStream}.${consumer}`, accounts),
        isStreamed: true,
      },
      serviceOf(orchestratorAccount, `$JS.ACK.${names.tasksStream}.${consumer}.>`, accounts),
    ]),
  ];
}

/** Calls of workflows, and of other services; the subject says who calls, so that nobody calls in another's name. */
function wayExports(
  accounts: readonly SidecarAccount[],
  prefix: string,
  { callers, mesh }: ServiceWays,
): readonly Export[] {
  const names = toNames(prefix);
  const accountOf = (name: string): string =>
    accounts.find(({ services }) => services.includes(name))?.name ?? accountName(name);
  return [
    ...callers.map((caller): Export => ({
      ...serviceOf(orchestratorAccount, names.relaySubject(caller), [accountOf(caller)]),
      isStreamed: true,
    })),
    ...mesh
      .filter(({ called, caller }) => accountOf(called) !== accountOf(caller))
      .flatMap(({ called, caller }) =>
        [names.meshSubject(called, caller), names.meshAskSubject(called, caller)].map((subject) =>
          serviceOf(accountOf(called), subject, [accountOf(caller)]),
        ),
      ),
  ];
}

function serviceOf(of: string, subject: string, accounts: readonly string[]): Export {
  return { of, kind: "service", subject, accounts };
}

function exportLines(account: string, exports: readonly Export[]): readonly string[] {
  const own = exports.filter(({ of }) => of === account);
  return own.length === 0 ? [] : ["    exports: [", ...own.map((one) => `      ${exportText(one)}`), "    ]"];
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
    ...exportLines(name, exports),
    "    imports: [",
    ...imports.map(
      ({ of, kind, subject }) => `      { ${kind}: { account: ${accountText(of)}, subject: ${quoted(subject)} } }`,
    ),
    "    ]",
    "  }",
  ];
}

function accountText(name: string): string {
  return name === orchestratorAccount ? name : quoted(name);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
