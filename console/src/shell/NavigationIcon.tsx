export type Place =
  | "overview"
  | "runs"
  | "workflows"
  | "schedules"
  | "triggers"
  | "services"
  | "incidents"
  | "approvals"
  | "audit";

const paths: Readonly<Record<Place, string>> = {
  overview: "M2.5 9.5h4v4h-4zM2.5 2.5h4v4h-4zM9.5 2.500h4v11h-4z",
  runs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  workflows: "M5.5 2.500h5v3.500h-5zM2 10.500h4.500V14H2zM9.5 10.500H14V14H9.500zM8 6v2.500M4.2 10.500v-2h7.600v2",
  schedules: "M8 4.500V8l2.500 1.500M8 1.800a6.200 6.200 0 1 1 0 12.400A6.200 6.200 0 0 1 8 1.800",
  triggers: "M9 1.800L3 9h4.500L7 14.200 13 7H8.500z",
  services: "M2.5 2.500h11v4.500h-11zM2.5 9h11v4.500h-11zM5 4.800h.1M5 11.200h.1",
  incidents: "M8 2.500l6 10.500H2zM8 6.500v3M8 11.200v.3",
  approvals: "M5.5 4.800a2.5 2.5 0 1 1 5 0 2.5 2.5 0 0 1-5 0M2.5 14a5.5 5.5 0 0 1 7-5.200M9.5 12.200l1.8 1.8 3.2-3.7",
  audit: "M3.5 2.500h9v11h-9zM6 5.500h4M6 8h4M6 10.500h2",
};

/** The picture of a place beside its name. */
export function NavigationIcon({ place }: { readonly place: Place }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[place]} />
    </svg>
  );
}
