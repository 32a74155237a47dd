/** What was done to the store's server, whom it kept from the store and for how long, and whether everybody came back. */
import type { Event } from "./ledger.ts";
import { covered, joined, type Span } from "./spans.ts";

/** A call of a process to the store. */
export interface Ask {
  readonly at: number;
  readonly verb: string;
  /** When it was answered or failed; Infinity: never. */
  toldAt: number;
  ok: boolean;
}

/** With the store well for so long, ms, every worker claims again. */
export const RETURN = 10_000;

/** A call that takes longer was held up. */
const SLOW = 500;

/** Connections that a blow broke are found broken within so long, ms. */
const AFTERMATH = 1_000;

/** When nobody could use the store; one that was never seen to end lasts for ever. */
export function outagesOf(events: readonly Event[]): Span[] {
  const spans: Span[] = [];
  let from: number | null = null;
  for (const { event, at } of events) {
    if (event === "outage") from = at;
    else if (event === "restored" && from !== null) {
      spans.push({ from, to: at });
      from = null;
    }
  }
  return from === null ? spans : [...spans, { from, to: Number.POSITIVE_INFINITY }];
}

/** When connections were broken in a moment. */
export function blowsOf(events: readonly Event[]): number[] {
  return events.filter(({ event }) => event === "blow").map(({ at }) => at);
}

/**
 * When these kept a process from the store: while an outage lasted, and while a call was under way that met it, or that
 * came soon after and then failed or took long, as on a connection that is half-open. Nothing else that is slow counts.
 */
export function keptBy(outages: readonly Span[], blows: readonly number[], asks: readonly Ask[]): Span[] {
  const calls = (from: number, to: number, most: number): Span[] =>
    asks
      .filter(({ at, toldAt }) => toldAt > from && at < most)
      .filter(({ at, toldAt, ok }) => at < to || !ok || toldAt - at > SLOW)
      .map(({ at, toldAt }) => ({ from: Math.max(at, from), to: Math.min(toldAt, most) }));
  return joined([
    ...outages,
    ...outages.flatMap(({ from, to }) => calls(from, to, to + RETURN)),
    ...blows.flatMap((at) => calls(at, at, at + AFTERMATH)),
  ]);
}

/** How long the store was well before the process claimed again; null: it was not there to see, or not long enough. */
export function returned(
  outage: Span,
  asks: readonly Ask[],
  bad: readonly Span[],
  present: Span,
): { readonly took: number; readonly back: boolean } | null {
  if (present.from > outage.from || present.to < outage.to) return null;
  const claim = asks.find(({ verb, at, ok }) => verb === "claim" && ok && at >= outage.to);
  const end = Math.min(claim?.toldAt ?? Number.POSITIVE_INFINITY, present.to);
  const took = end - outage.to - covered(bad, outage.to, end);
  if (claim !== undefined && claim.toldAt <= present.to) return { took, back: true };
  return took > RETURN ? { took, back: false } : null;
}
