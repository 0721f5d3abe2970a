/** What the tree shows of a span, ours or a service's. */
export interface TreeSpan {
  readonly spanId: string;
  /** Undefined or empty: a root. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly startMs: number;
  readonly endMs: number;
  /** service.name of its resource. */
  readonly service: string;
  /** Undefined: no error. */
  readonly error: string | undefined;
  /** Shown after the name, in order. */
  readonly notes: readonly string[];
}

/**
 * A trace as lines of text, children below their parents in the order of their starts:
 *
 *     shop.v1.OrderWorkflow/Fulfil  orchestrator  server  0 ms +84 ms
 *     ├─ reserve  orchestrator  internal  3 ms +20 ms
 *     │  └─ inventory.v1.InventoryService/Reserve  inventory-sidecar  client  8 ms +9 ms
 *
 * A span whose parent is not among them stands at the top; a span that came twice is shown once.
 */
export function renderTree(spans: readonly TreeSpan[]): readonly string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const children = new Map<string, TreeSpan[]>();
  const tops: TreeSpan[] = [];
  for (const span of byId.values()) {
    const parent = span.parentSpanId === undefined ? undefined : byId.get(span.parentSpanId);
    if (parent === undefined) tops.push(span);
    else children.set(parent.spanId, [...(children.get(parent.spanId) ?? []), span]);
  }
  const originMs = Math.min(...spans.map((span) => span.startMs));
  const lines: string[] = [];
  const shown = new Set<string>();
  const show = (span: TreeSpan, first: string, rest: string): void => {
    // A foreign span may name a descendant as its parent; each is shown once.
    if (shown.has(span.spanId)) return;
    shown.add(span.spanId);
    lines.push(first + line(span, originMs));
    const below = (children.get(span.spanId) ?? []).toSorted(byStart);
    below.forEach((child, i) => {
      const isLast = i === below.length - 1;
      show(child, rest + (isLast ? "└─ " : "├─ "), rest + (isLast ? "   " : "│  "));
    });
  };
  for (const span of tops.toSorted(byStart)) show(span, "", "");
  for (const span of byId.values()) show(span, "", "");
  return lines;
}

function byStart(a: TreeSpan, b: TreeSpan): number {
  return a.startMs - b.startMs || a.endMs - b.endMs || (a.spanId < b.spanId ? -1 : 1);
}

function line(span: TreeSpan, originMs: number): string {
  const offset = `${Math.round(span.startMs - originMs)} ms +${Math.round(span.endMs - span.startMs)} ms`;
  const notes = span.notes.length === 0 ? "" : `  [${span.notes.join(", ")}]`;
  const error = span.error === undefined ? "" : `  ✗ ${span.error}`;
  return `${span.name}  ${span.service}  ${span.kind}  ${offset}${notes}${error}`;
}
