import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import { useAddress } from "../navigation.tsx";
import { Empty, Failure } from "../parts/pieces.tsx";
import { useFresh } from "../services/useFresh.ts";
import { ParkedEvents } from "../triggers/ParkedEvents.tsx";
import { TriggerTable } from "../triggers/TriggerTable.tsx";
import { toTriggers } from "../triggers/triggers.ts";

/** What starts and signals runs by messages, and which messages could not be taken. */
export function TriggersPage() {
  useFresh("sidestep.v1.Triggers/");
  const { value, error, isLoading } = useAnswer("sidestep.v1.Triggers/List");
  const triggers = useMemo(() => toTriggers(object(value)), [value]);
  const asked = useAddress().searchParams.get("trigger");
  return (
    <>
      <div className="pagehead">
        <h1>Triggers</h1>
        <p className="muted pad">Runs that messages start and signal.</p>
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      {triggers.length === 0 && error === undefined ? (
        isLoading ? (
          <div className="skeleton" style={{ height: 160 }} aria-busy="true" />
        ) : (
          <div className="card">
            <Empty title="There are no triggers">
              <code>{"trigger { subject { … } }"}</code> in a workflow or a signal makes one.
            </Empty>
          </div>
        )
      ) : undefined}
      <div className="stack">
        {triggers.length > 0 ? <TriggerTable triggers={triggers} /> : undefined}
        {asked === null ? undefined : <ParkedEvents key={asked} triggerId={asked} />}
      </div>
    </>
  );
}
