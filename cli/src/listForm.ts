/** How a list is printed: columns for people, more of them, protobuf JSON, one JSON object a line, YAML, or names alone. */
export const listForms = ["table", "wide", "json", "jsonl", "yaml", "name"] as const;
export type ListForm = (typeof listForms)[number];

/** How one thing is printed: for people, as protobuf JSON, or as YAML. */
export const shownForms = ["table", "json", "yaml"] as const;
export type ShownForm = (typeof shownForms)[number];
