import path from "node:path";
import { changeContexts, contextOf, contextsFile, readContexts } from "./contexts.ts";
import type { Context } from "./contexts.ts";
import { CliFailure, exit } from "./failure.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the contexts; the current one has a star. */
export async function listContexts(terminal: Terminal): Promise<void> {
  const { contexts, current } = readContexts(contextsFile(terminal.environment));
  const rows = Object.entries(contexts).map(([name, { address, tokenFile, tlsCa }]) => [
    name === current ? "*" : "",
    name,
    address,
    tokenFile ?? "",
    tlsCa ?? "",
  ]);
  if (rows.length === 0) return terminal.err("there are no contexts: `sidestep context add` makes one\n");
  terminal.out(tableText(["", "NAME", "ADDRESS", "TOKEN FILE", "TLS CA"], rows));
}

/** Keeps an orchestrator under a name, in place of what had it; the first one becomes current. */
export async function addContext(name: string, given: Context, terminal: Terminal): Promise<void> {
  if (!/^[\w.-]{1,100}$/.test(name)) {
    const next = "up to 100 letters, digits and . _ - are taken";
    throw new CliFailure(exit.usage, `${JSON.stringify(name)} is no name for a context`, "the arguments", next);
  }
  const file = contextsFile(terminal.environment);
  const { address, tokenFile, tlsCa, tlsCert, tlsKey } = given;
  const whole = (one: string | undefined): string | undefined => (one === undefined ? undefined : path.resolve(one));
  const context = JSON.parse(
    JSON.stringify({
      address,
      tokenFile: whole(tokenFile),
      tlsCa: whole(tlsCa),
      tlsCert: whole(tlsCert),
      tlsKey: whole(tlsKey),
    }),
  );
  let isCurrent = false;
  await changeContexts(file, terminal, (before) => {
    const current = before.current ?? name;
    isCurrent = current === name;
    return { current, contexts: { ...before.contexts, [name]: context } };
  });
  const held = isCurrent ? "commands use it from now on" : `\`sidestep context use ${name}\` makes it current`;
  terminal.err(`context ${name} is ${address}; ${held}\n`);
}

/** Makes a context the one that commands use. */
export async function useContext(name: string, terminal: Terminal): Promise<void> {
  const file = contextsFile(terminal.environment);
  let address = "";
  await changeContexts(file, terminal, (before) => {
    address = contextOf(before, name, file)?.address ?? "";
    return { ...before, current: name };
  });
  terminal.err(`commands use context ${name}, ${address}, from now on\n`);
}

/** Forgets a context. */
export async function removeContext(name: string, terminal: Terminal): Promise<void> {
  const file = contextsFile(terminal.environment);
  let wasCurrent = false;
  await changeContexts(file, terminal, (before) => {
    contextOf(before, name, file);
    wasCurrent = before.current === name;
    const kept = Object.entries(before.contexts).filter(([one]) => one !== name);
    return { current: wasCurrent ? undefined : before.current, contexts: Object.fromEntries(kept) };
  });
  terminal.err(`context ${name} is forgotten${wasCurrent ? "; no context is current" : ""}\n`);
}
