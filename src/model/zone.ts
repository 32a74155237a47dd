/** Time zones: which names are taken, what a zone's clocks show at an instant, and when they change. */
import { quoted } from "./duration.ts";
import { SiderealError } from "./errors.ts";
import type { Millis } from "./record.ts";

/** A time zone, as the runtime's tables know it. */
export interface Zone {
  /** Its IANA name; an alias stays as given, since runtimes differ in what they resolve it to. */
  readonly name: string;
  /** What to add to an instant to get the time that the zone's clocks show, as if that were UTC; whole seconds. */
  offsetAt(instant: Millis): Millis;
}

const SECOND: Millis = 1_000;

/** No zone has changed twice within a week since 1970; what lies this close together with one offset has no change between. */
const QUIET: Millis = 6 * 86_400_000;

const SPANS = 4;

/** The abbreviations of the IANA database. Others (`IST`, `PST`) mean several zones, and only some runtimes know them. */
const ABBREVIATIONS = new Set("UTC GMT UCT EST MST HST CET MET EET WET PRC ROC ROK".split(" "));

/** Both ends have this offset, and so has everything between. */
interface Span {
  readonly from: Millis;
  readonly until: Millis;
  readonly offset: Millis;
}

interface Clocks {
  readonly format: Intl.DateTimeFormat;
  readonly resolved: string;
  /** What is known of the zone, latest first. */
  spans: readonly Span[];
}

/** By name in small letters: a formatter is dear to make, and there are but some hundred names. */
const known = new Map<string, Clocks>();

/**
 * The zone of that name, whatever the case of its letters.
 * @throws SCHEDULE_INVALID for anything that is not an IANA name: offsets, ambiguous abbreviations, other values
 */
export function zoneNamed(value: unknown): Zone {
  const clocks = typeof value === "string" && value.length <= 64 ? clocksOf(value.toLowerCase()) : undefined;
  if (clocks === undefined) {
    throw new SiderealError(
      "SCHEDULE_INVALID",
      `timezone is ${quoted(value)}, which is no IANA time zone; allowed are names such as "UTC" or "Europe/Berlin"`,
    );
  }
  const given = String(value);
  const name = clocks.resolved.toLowerCase() === given.toLowerCase() ? clocks.resolved : given;
  return { name, offsetAt: (instant) => offsetOf(clocks, instant) };
}

/**
 * The first instant after `from`, and not after `until`, at which the zone's clocks show another offset than at `from`;
 * for spans of less than a week whose ends differ in it.
 */
export function changeBetween(zone: Zone, from: Millis, until: Millis): Millis {
  const offset = zone.offsetAt(from);
  let before = Math.floor(from / SECOND);
  let after = Math.ceil(until / SECOND);
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (zone.offsetAt(middle * SECOND) === offset) before = middle;
    else after = middle;
  }
  return after * SECOND;
}

function clocksOf(name: string): Clocks | undefined {
  const seen = known.get(name);
  if (seen !== undefined) return seen;
  if (!/^[a-z][a-z0-9_+-]*(?:\/[a-z0-9_+-]+){0,2}$/u.test(name) || name.startsWith("systemv/")) return undefined;
  if (name.length === 3 && !ABBREVIATIONS.has(name.toUpperCase())) return undefined;
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: name, year: "numeric", timeZoneName: "longOffset" });
    const resolved = format.resolvedOptions().timeZone;
    const clocks: Clocks = { format, resolved, spans: [] };
    known.set(name, clocks);
    return clocks;
  } catch {
    return undefined;
  }
}

/** Formatting is nearly all that a search costs, so what is known of a few spans is kept, and they are widened. */
function offsetOf(clocks: Clocks, instant: Millis): Millis {
  for (const { from, until, offset } of clocks.spans) if (instant >= from && instant <= until) return offset;
  const offset = offsetIn(clocks.format.format(instant));
  const near = (span: Span): boolean =>
    span.offset === offset && instant > span.from - QUIET && instant < span.until + QUIET;
  const joined = clocks.spans.filter(near);
  const widened = {
    from: Math.min(instant, ...joined.map(({ from }) => from)),
    until: Math.max(instant, ...joined.map(({ until }) => until)),
    offset,
  };
  clocks.spans = [widened, ...clocks.spans.filter((span) => !near(span)).slice(0, SPANS - 1)];
  return offset;
}

/** Reads `…GMT`, `…GMT-05:00` or, of times before clocks were harmonised, `…GMT-00:44:30`. */
function offsetIn(formatted: string): Millis {
  const match = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/u.exec(formatted);
  if (match === null) return 0;
  const seconds = Number(match[2]) * 3_600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === "-" ? -seconds : seconds) * SECOND;
}
