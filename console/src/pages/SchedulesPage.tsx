import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import { Empty, Failure } from "../parts/pieces.tsx";
import { NewSchedule } from "../schedules/NewSchedule.tsx";
import { ScheduleTable } from "../schedules/ScheduleTable.tsx";
import { toSchedules } from "../schedules/schedules.ts";
import { useFresh } from "../services/useFresh.ts";

/** What starts runs by the clock. */
export function SchedulesPage() {
  useFresh("sidestep.v1.Schedules/");
  const { value, error, isLoading } = useAnswer("sidestep.v1.Schedules/List");
  const schedules = useMemo(() => toSchedules(object(value)), [value]);
  return (
    <>
      <div className="pagehead">
        <h1>Schedules</h1>
        <p className="muted pad grow">Runs that are started at nominal times.</p>
        <NewSchedule />
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      {schedules.length > 0 ? <ScheduleTable schedules={schedules} /> : undefined}
      {schedules.length === 0 && error === undefined ? (
        isLoading ? (
          <div className="skeleton" style={{ height: 160 }} aria-busy="true" />
        ) : (
          <div className="card">
            <Empty title="There are no schedules">
              <code>{"trigger { cron { … } }"}</code> in a workflow makes one, and so do{" "}
              <code>sidestep schedule create</code> and the button above.
            </Empty>
          </div>
        )
      ) : undefined}
    </>
  );
}
