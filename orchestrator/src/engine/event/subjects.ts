/** Whether each subject that `inner` stands for is one that `outer` stands for; both may have wildcards. */
export function covers(outer: string, inner: string): boolean {
  const [outside, inside] = [outer.split("."), inner.split(".")];
  for (const [index, part] of outside.entries()) {
    const other = inside[index];
    if (part === ">") return other !== undefined;
    if (other === undefined || other === ">") return false;
    if (part !== "*" && part !== other) return false;
  }
  return outside.length === inside.length;
}

/** Whether there is a subject that both stand for. */
export function collide(a: string, b: string): boolean {
  const [as, bs] = [a.split("."), b.split(".")];
  for (const [index, part] of as.entries()) {
    const other = bs[index];
    if (other === undefined) return false;
    if (part === ">" || other === ">") return true;
    if (part !== other && part !== "*" && other !== "*") return false;
  }
  return as.length === bs.length;
}

/** Subjects of one stream that stand for all of the patterns: no two of them collide, as no stream may have it. Sorted. */
export function coverOf(patterns: readonly string[]): readonly string[] {
  const cover: string[] = [];
  for (const pattern of patterns) {
    let joined = pattern;
    for (let index = cover.findIndex((one) => collide(one, joined)); index >= 0;) {
      joined = joinOf(cover.splice(index, 1).join(""), joined);
      index = cover.findIndex((one) => collide(one, joined));
    }
    cover.push(joined);
  }
  return cover.toSorted();
}

/** The narrowest pattern that covers two that collide. */
function joinOf(a: string, b: string): string {
  if (covers(a, b)) return a;
  if (covers(b, a)) return b;
  const [as, bs] = [a.split("."), b.split(".")];
  const parts: string[] = [];
  for (const [index, part] of as.entries()) {
    const other = bs[index];
    if (part === ">" || other === ">" || other === undefined) return [...parts, ">"].join(".");
    parts.push(part === other ? part : "*");
  }
  return parts.join(".");
}
