import { Chip, WorkflowLink } from "../parts/pieces.tsx";
import type { Look } from "../parts/states.ts";
import { Holding } from "./Holding.tsx";
import type { Method, Service } from "./services.ts";

/** One service: whether anybody takes its calls, what waits, and its methods. */
export function ServiceCard({ service }: { readonly service: Service }) {
  const { name, methods, hold } = service;
  return (
    <section className="card" aria-label={name}>
      <header>
        <h2 className="grow cut mono" title={name}>
          {name}
        </h2>
        <Chip look={lookOf(service)} />
        <Holding kind="service" target={name} hold={hold} />
      </header>
      <p className="row facts inset">
        <span>
          <strong>{service.backlog.toLocaleString("en")}</strong> waiting
        </span>
        <span>
          <strong>{service.inFlight.toLocaleString("en")}</strong> in flight
        </span>
        <span>
          <strong>
            {service.serving} of {service.sidecars}
          </strong>{" "}
          {service.sidecars === 1 ? "sidecar serves" : "sidecars serve"}
        </span>
      </p>
      <div className="scroll">
        <table className="methods">
          <thead>
            <tr>
              <th>Method</th>
              <th>Offered</th>
              <th>Called by</th>
              <th>Limit</th>
              <th>
                <span className="unseen">Hold</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {methods.map((method) => (
              <tr key={method.full}>
                <td className="mono">{method.name}</td>
                <td>
                  <Offer method={method} />
                </td>
                <td>
                  <span className="row">
                    {method.callers.map((workflow) => (
                      <WorkflowLink key={workflow} workflow={workflow} />
                    ))}
                  </span>
                </td>
                <td>{method.limit === "" ? <span className="muted">none</span> : method.limit}</td>
                <td className="number">
                  <Holding kind="method" target={method.full} hold={method.hold} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Offer({ method: { offer, isBroken } }: { readonly method: Method }) {
  if (isBroken) return <Chip look={{ word: "calls fail: held back", tone: "warned", icon: "warning" }} />;
  switch (offer) {
    case "OFFERED":
      return <Chip look={{ word: "yes", tone: "done", icon: "check" }} />;
    case "MISSING":
      return <Chip look={{ word: "no", tone: "failed", icon: "cross" }} />;
    case "UNKNOWN":
      return (
        <span className="muted" title="Its service tells its sidecars no methods: it has no reflection.">
          not told
        </span>
      );
  }
}

function lookOf({ serving, sidecars }: Service): Look {
  if (serving > 0) return { word: "served", tone: "done", icon: "check" };
  return sidecars > 0
    ? { word: "its sidecars take no calls", tone: "failed", icon: "warning" }
    : { word: "no sidecar", tone: "failed", icon: "warning" };
}
