type Pull = { readonly batch: number; readonly rank: number; readonly endsAtMs: number };
type Rank = { readonly tokens: Set<string>; asked: number; left: number };

const ranks = 10;

/**
 * Requests for tasks that the server may still serve, by rank. Tasks say of which rank the request was that they answer, only statuses which one it
 * was. Nothing takes time in the number of requests, but for looking for forgotten ones.
 */
export class Asked {
  readonly #pulls = new Map<string, Pull>();
  readonly #ranks: readonly Rank[] = Array.from({ length: ranks }, () => ({ tokens: new Set(), asked: 0, left: 0 }));
  #outstanding = 0;

  /** Tasks asked for that have not come. */
  outstanding(): number {
    return this.#outstanding;
  }

  /** The same, of this rank or a better one. */
  outstandingUpTo(rank: number): number {
    let sum = 0;
    for (let at = 0; at <= rank; at++) sum += this.#ranks[at]?.left ?? 0;
    return sum;
  }

  isEmpty(): boolean {
    return this.#pulls.size === 0;
  }

  add(token: string, batch: number, rank: number, endsAtMs: number): void {
    const of = this.#ranks[rank];
    if (of === undefined) return;
    this.#pulls.set(token, { batch, rank, endsAtMs });
    of.tokens.add(token);
    of.asked += batch;
    of.left += batch;
    this.#outstanding += batch;
  }

  /** A task has come, for a request of that rank. */
  take(rank: number): void {
    const of = this.#ranks[rank];
    if (of === undefined || of.left === 0) return;
    of.left -= 1;
    this.#outstanding -= 1;
    if (of.left === 0) this.#clear(of);
  }

  /**
   * A request is over; `pending` of its tasks will not come, 0: as many as it was for. The others have come, or are still on their way: that word
   * overtakes what waits for its quorum. Returns how many those are; undefined for a request that is not known any more.
   */
  end(token: string, pending: number): number | undefined {
    const pull = this.#pulls.get(token);
    if (pull === undefined) return undefined;
    const missing = pending > 0 ? Math.min(pending, pull.batch) : pull.batch;
    this.#shrink(token, pull, pull.batch - missing, missing);
    return pull.batch - missing;
  }

  /** Ends those that the server has ended before then. Nothing tells that all tasks of a request have come: it may have been over for long. */
  endBefore(timeMs: number): void {
    for (const [token, pull] of this.#pulls) {
      if (pull.endsAtMs >= timeMs) continue;
      const { asked = 0, left = 0 } = this.#ranks[pull.rank] ?? {};
      this.#shrink(token, pull, 0, Math.max(pull.batch - (asked - left), 0));
    }
  }

  clear(): void {
    for (const of of this.#ranks) this.#clear(of);
    this.#outstanding = 0;
  }

  /** A request is for so many from now on; so many that were asked for by it will not come. */
  #shrink(token: string, pull: Pull, batch: number, missing: number): void {
    const of = this.#ranks[pull.rank];
    if (of === undefined) return;
    if (batch > 0) this.#pulls.set(token, { ...pull, batch });
    else {
      this.#pulls.delete(token);
      of.tokens.delete(token);
    }
    of.asked -= pull.batch - batch;
    const left = Math.min(Math.max(of.left - missing, 0), of.asked);
    this.#outstanding -= of.left - left;
    of.left = left;
    if (left === 0) this.#clear(of);
  }

  #clear(of: Rank): void {
    for (const token of of.tokens) this.#pulls.delete(token);
    of.tokens.clear();
    of.asked = of.left = 0;
  }
}
