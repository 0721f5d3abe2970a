import { useMemo, useState } from "react";
import { refresh, useAnswer } from "../api/ask.ts";
import { object } from "../api/json.ts";
import type { Json } from "../api/json.ts";
import { Link, useAddress, withQuery } from "../navigation.tsx";
import { Empty, Failure, Notice, When } from "../parts/pieces.tsx";
import { ActedTable } from "../parts/ActedTable.tsx";
import { ActionButton } from "../run/ActionButton.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { useRefusal } from "../session/session.ts";
import { say } from "../shell/toasts.tsx";
import { retriedText, toParkedPage } from "./triggers.ts";
import type { ParkedEvent, Payload } from "./triggers.ts";

const pageSize = 50;

/** Messages that a trigger could not take: why, what they are, and what to do with them. */
export function ParkedEvents({ triggerId }: { readonly triggerId: string }) {
  const address = useAddress();
  const refusal = useRefusal("sidestep.v1.Triggers/ListParked");
  const pageToken = address.searchParams.get("after") ?? "";
  const asked = refusal === undefined ? "sidestep.v1.Triggers/ListParked" : undefined;
  const { value, error, isLoading } = useAnswer(asked, { triggerId, pageSize, pageToken });
  const { events, next } = useMemo(() => toParkedPage(object(value)), [value]);
  const [open, setOpen] = useState<Action>();
  const act = { triggerId, open: setOpen };
  return (
    <section className="card" aria-label="Parked messages">
      <header>
        <h2>Parked messages</h2>
        <span className="mono muted grow cut" title={triggerId}>
          {triggerId}
        </span>
        {events.length === 0 ? undefined : <Acts {...act} parkedIds={[]} which="all parked messages" label="all" />}
        <Link className="button small" href={withQuery(address, { trigger: undefined, after: undefined })}>
          Close
        </Link>
      </header>
      {refusal === undefined ? undefined : (
        <Notice tone="warned" icon="lock">
          {refusal}.
        </Notice>
      )}
      {error === undefined ? undefined : <Failure error={error} />}
      {events.length === 0 && error === undefined && refusal === undefined ? (
        isLoading ? (
          <div className="skeleton" style={{ height: 80 }} aria-busy="true" />
        ) : (
          <Empty title={pageToken === "" ? "Nothing is parked" : "Nothing more is parked"} />
        )
      ) : undefined}
      {events.length === 0 ? undefined : (
        <ActedTable headings={["Parked", "Why", "Message"]} isInside>
          {events.map((event) => (
            <tr key={event.id}>
              <td className="nowrap">
                <When at={event.parkedAt} />
                <div className="muted small-text mono">{event.id}</div>
                {event.times < 2 ? undefined : <div className="muted small-text">tried {event.times} times</div>}
              </td>
              <td>
                <code className="code-name">{event.code}</code> {event.reason}
              </td>
              <td>
                <Message event={event} />
              </td>
              <td className="number">
                <Acts {...act} parkedIds={[event.id]} which={`the message ${event.id}`} label={event.id} />
              </td>
            </tr>
          ))}
        </ActedTable>
      )}
      {pageToken === "" && next === "" ? undefined : (
        <div className="in row">
          {pageToken === "" ? undefined : (
            <Link className="button small" href={withQuery(address, { after: undefined })}>
              To the first
            </Link>
          )}
          {next === "" ? undefined : (
            <Link className="button small" href={withQuery(address, { after: next })}>
              More
            </Link>
          )}
        </div>
      )}
      {open === undefined ? undefined : <ActionDialog action={open} onClose={() => setOpen(undefined)} />}
    </section>
  );
}

function Message({ event: { subject, stream, sequence, payload } }: { readonly event: ParkedEvent }) {
  return (
    <>
      <div className="muted small-text">
        <span className="mono">{subject}</span>
        {stream === "" ? "" : `, ${stream} ${sequence}`}, {sizeText(payload)}
      </div>
      {payload.sizeBytes === 0 ? undefined : (
        <pre className="code" tabIndex={0} aria-label="message">
          {payload.text}
          {payload.leftOut === 0 ? "" : "…"}
        </pre>
      )}
    </>
  );
}

function sizeText({ sizeBytes, form }: Payload): string {
  return `${sizeBytes.toLocaleString("en")} bytes${form === "text" ? "" : `, as ${form}`}`;
}

/** Retry and drop, of one or of all. */
function Acts({
  triggerId,
  parkedIds,
  which,
  label,
  open,
}: {
  readonly triggerId: string;
  /** None: all. */
  readonly parkedIds: readonly string[];
  readonly which: string;
  readonly label: string;
  readonly open: (action: Action) => void;
}) {
  const request = ({ reason }: { readonly reason: string }): Json => ({ triggerId, parkedIds, reason });
  const retry: Action = {
    name: "Retry",
    tells: `Takes ${which} as if it came now, by the version that is active now. What still can't be taken stays parked.`,
    isDangerous: false,
    method: "sidestep.v1.Triggers/RetryParked",
    request,
    reason: "Reason",
    onDone: (answer) => {
      say(retriedText(answer));
      refresh("sidestep.v1.Triggers/");
    },
  };
  const drop: Action = {
    name: "Drop",
    tells: `Throws ${which} away, for ever.`,
    isDangerous: true,
    method: "sidestep.v1.Triggers/DropParked",
    request,
    reason: "Reason",
    done: `Thrown away: ${which}.`,
    onDone: () => refresh("sidestep.v1.Triggers/"),
  };
  return (
    <span className="row">
      {[retry, drop].map((action) => (
        <ActionButton key={action.name} action={action} of={label} onOpen={open}>
          {parkedIds.length === 0 ? `${action.name} all` : action.name}
        </ActionButton>
      ))}
    </span>
  );
}
