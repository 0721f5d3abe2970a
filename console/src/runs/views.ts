/** A filter with a name. */
export interface View {
  readonly name: string;
  readonly filter: string;
}

/** Those that everybody has. */
export const givenViews: readonly View[] = [
  { name: "All", filter: "" },
  { name: "Needs a person", filter: "incidents > 0" },
  { name: "Running", filter: "state == RUNNING" },
  { name: "Waits for approval", filter: "approvals > 0" },
  { name: "Failed", filter: "state in [FAILED, COMPENSATED, COMPENSATION_FAILED]" },
  { name: "Last hour", filter: 'started > now - duration("1h")' },
];

const place = "sidestep.views";
const most = 50;

/** Views that were saved in this browser. */
export function savedViews(): readonly View[] {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(place) ?? "[]");
    return Array.isArray(read) ? read.filter(isView).slice(0, most) : [];
  } catch {
    return [];
  }
}

/** Keeps a view, in place of one of the same name. */
export function saveView(view: View): void {
  const others = savedViews().filter(({ name }) => name !== view.name);
  localStorage.setItem(place, JSON.stringify([...others, view].slice(-most)));
}

/** Forgets a view. */
export function dropView(name: string): void {
  localStorage.setItem(place, JSON.stringify(savedViews().filter((view) => view.name !== name)));
}

function isView(value: unknown): value is View {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "filter" in value &&
    typeof value.name === "string" &&
    typeof value.filter === "string"
  );
}
