/** Outages of the store's server, whom they held up and for how long, and whether everybody came back. */
import type { Event } from "./ledger.ts";
import { covered, type Span } from "./spans.ts";

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

/** When nobody could use the store. */
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
  return spans;
}

/** A process is held up by an outage until the calls that it met have ended, and for no longer than the return may take. */
export function heldUpBy(outage: Span, asks: readonly Ask[]): Span {
  const most = outage.to + RETURN;
  const met = asks.filter(
    ({ at, toldAt }) => toldAt > outage.from && at < most && (toldAt - at > SLOW || at < outage.to),
  );
  return { from: outage.from, to: Math.min(most, Math.max(outage.to, ...met.map(({ toldAt }) => toldAt))) };
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
