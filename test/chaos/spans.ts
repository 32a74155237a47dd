/** Stretches of time: joined, subtracted, measured. */

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The same time, as spans that neither touch nor overlap, in order. */
export function joined(spans: readonly Span[]): Span[] {
  const all: { from: number; to: number }[] = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else if (to > from) all.push({ from, to });
  }
  return all;
}

/** What is in none of these. */
export function gaps(spans: readonly Span[]): Span[] {
  let from = Number.NEGATIVE_INFINITY;
  const all: Span[] = [];
  for (const span of joined(spans)) {
    if (span.from > from) all.push({ from, to: span.from });
    from = span.to;
  }
  return [...all, { from, to: Number.POSITIVE_INFINITY }];
}

/** What is in `spans` and in none of `without`. */
export function minus(spans: readonly Span[], without: readonly Span[]): Span[] {
  const left = gaps(without);
  return joined(
    spans.flatMap((span) =>
      left.map(({ from, to }) => ({ from: Math.max(from, span.from), to: Math.min(to, span.to) })),
    ),
  );
}

/** How much of a time these cover. */
export function covered(spans: readonly Span[], from: number, to: number): number {
  return joined(spans).reduce((sum, span) => sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), 0);
}
