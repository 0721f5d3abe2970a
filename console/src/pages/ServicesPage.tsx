import { useMemo, useState } from "react";
import { useAnswer, refresh } from "../api/ask.ts";
import { call } from "../api/call.ts";
import { toWorkflow } from "../api/definition.ts";
import { list, number, object, text, time } from "../api/json.ts";
import type { JsonObject } from "../api/json.ts";
import { Chip, Empty, Failure, When, WorkflowLink } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { say } from "../shell/toasts.tsx";

/** The services that workflows call: their methods, who calls them, and what is held back or limited. */
export function ServicesPage() {
  const definitions = useAnswer("sidestep.v1.Definitions/List");
  const holds = useAnswer("sidestep.v1.Runs/ListHolds");
  const limits = useAnswer("sidestep.v1.Runs/ListLimits");
  const services = useMemo(() => toServices(object(definitions.value)), [definitions.value]);
  const held = useMemo(() => list(object(holds.value), "held", toHold), [holds.value]);
  const limited = useMemo(
    () => new Map(list(object(limits.value), "limits", (one) => [text(one, "method"), limitText(one)] as const)),
    [limits.value],
  );
  const error = definitions.error ?? holds.error ?? limits.error;
  return (
    <>
      <div className="pagehead">
        <h1>Services</h1>
        <p className="muted pad">What workflows call.</p>
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      {services.length === 0 && !definitions.isLoading ? (
        <div className="card">
          <Empty title="No deployed workflow calls a service" />
        </div>
      ) : undefined}
      <div className="stack">
        {services.map((service) => (
          <ServiceCard key={service.name} service={service} held={held} limited={limited} />
        ))}
      </div>
    </>
  );
}

interface Service {
  readonly name: string;
  readonly methods: readonly { readonly name: string; readonly callers: readonly string[] }[];
}

interface Hold {
  readonly target: string;
  readonly reason: string;
  readonly actor: string;
  readonly since: number | undefined;
}

function ServiceCard({
  service,
  held,
  limited,
}: {
  readonly service: Service;
  readonly held: readonly Hold[];
  readonly limited: ReadonlyMap<string, string>;
}) {
  const hold = held.find(({ target }) => target === service.name);
  return (
    <section className="card" aria-label={service.name}>
      <header>
        <h2 className="grow cut mono" title={service.name}>
          {service.name}
        </h2>
        <Holding kind="service" target={service.name} hold={hold} />
      </header>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th>Method</th>
              <th>Called by</th>
              <th>Limit</th>
              <th>
                <span className="unseen">Hold</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {service.methods.map(({ name, callers }) => {
              const full = `${service.name}/${name}`;
              return (
                <tr key={name}>
                  <td className="mono">{name}</td>
                  <td>
                    <span className="row">
                      {callers.map((workflow) => (
                        <WorkflowLink key={workflow} workflow={workflow} />
                      ))}
                    </span>
                  </td>
                  <td>{limited.get(full) ?? <span className="muted">none</span>}</td>
                  <td className="number">
                    <Holding kind="method" target={full} hold={held.find(({ target }) => target === full)} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Holding({
  kind,
  target,
  hold,
}: {
  readonly kind: "service" | "method";
  readonly target: string;
  readonly hold: Hold | undefined;
}) {
  const [isOpen, setOpen] = useState(false);
  const action: Action = {
    name: "Hold",
    tells: `Calls of ${target} are held back, in all runs, until they are released.`,
    isDangerous: true,
    method: "sidestep.v1.Runs/Hold",
    request: ({ reason }) => ({ target: { [kind]: target }, reason }),
    reason: "Reason",
    done: `${target} is held.`,
  };
  const release = (): void =>
    void call("sidestep.v1.Runs/Release", { target: { [kind]: target } })
      .then(() => say(`${target} is released.`))
      .catch((error: unknown) => say(String(error)))
      .finally(() => refresh("sidestep.v1.Runs/ListHolds"));
  if (hold !== undefined) {
    return (
      <span className="row">
        <Chip look={{ word: "held", tone: "waiting", icon: "pause" }} />
        <span className="muted small-text">
          {hold.reason}
          {hold.actor === "" ? "" : ` (${hold.actor})`}, since <When at={hold.since} />
        </span>
        <button type="button" className="small" onClick={release} aria-label={`Release ${target}`}>
          Release
        </button>
      </span>
    );
  }
  return (
    <>
      <button type="button" className="small" onClick={() => setOpen(true)} aria-label={`Hold ${target}`}>
        Hold
      </button>
      {isOpen ? <ActionDialog action={action} onClose={() => setOpen(false)} /> : undefined}
    </>
  );
}

function toServices(answer: JsonObject): readonly Service[] {
  const callers = new Map<string, Map<string, string[]>>();
  for (const { workflow, activeVersion, versions } of list(answer, "workflows", toWorkflow)) {
    for (const method of versions.find(({ version }) => version === activeVersion)?.methods ?? []) {
      const slash = method.lastIndexOf("/");
      const of = callers.get(method.slice(0, slash)) ?? new Map<string, string[]>();
      callers.set(method.slice(0, slash), of);
      of.set(method.slice(slash + 1), [...(of.get(method.slice(slash + 1)) ?? []), workflow]);
    }
  }
  return [...callers]
    .map(([name, methods]) => ({
      name,
      methods: [...methods]
        .map(([method, by]) => ({ name: method, callers: by }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function toHold(json: JsonObject): Hold {
  const target = object(json["target"]);
  return {
    target: text(target, "service") || text(target, "method") || text(target, "workflow"),
    reason: text(json, "reason"),
    actor: text(json, "actor"),
    since: time(json, "since"),
  };
}

function limitText(json: JsonObject): string {
  const rate = object(json["rate"]);
  return [
    number(json, "concurrency") === 0 ? "" : `${number(json, "concurrency")} at a time`,
    number(json, "concurrencyPerSidecar") === 0 ? "" : `${number(json, "concurrencyPerSidecar")} a sidecar`,
    number(rate, "calls") === 0 ? "" : `${number(rate, "calls")} in ${text(rate, "per")}`,
  ]
    .filter((it) => it !== "")
    .join(", ");
}
