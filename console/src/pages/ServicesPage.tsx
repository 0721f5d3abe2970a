import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import { Empty, Failure } from "../parts/pieces.tsx";
import { ServiceCard } from "../services/ServiceCard.tsx";
import { SidecarTable } from "../services/SidecarTable.tsx";
import { toServices, toSidecars } from "../services/services.ts";
import { useFresh } from "../services/useFresh.ts";

/** The services that workflows call: who takes their calls, what waits, what is held back or limited; and the sidecars. */
export function ServicesPage() {
  useFresh("sidestep.v1.Services/");
  const services = useAnswer("sidestep.v1.Services/ListServices");
  const sidecars = useAnswer("sidestep.v1.Services/ListSidecars");
  const shown = useMemo(() => toServices(object(services.value)), [services.value]);
  const alive = useMemo(() => toSidecars(object(sidecars.value)), [sidecars.value]);
  const error = services.error ?? sidecars.error;
  return (
    <>
      <div className="pagehead">
        <h1>Services</h1>
        <p className="muted pad">What workflows call.</p>
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      {shown.length === 0 && !services.isLoading ? (
        <div className="card">
          <Empty title="No deployed workflow calls a service, and no sidecar offers one" />
        </div>
      ) : undefined}
      <div className="stack">
        {shown.map((service) => (
          <ServiceCard key={service.name} service={service} />
        ))}
        {sidecars.value === undefined ? undefined : <SidecarTable sidecars={alive} />}
      </div>
    </>
  );
}
