/** Random cron expressions together with what they mean, put down side by side rather than read from the text. */
import type { Chance } from "../../../src/testing/backend-contract/chance.ts";

type Has = (value: number) => boolean;

/** An expression and the values that each of its fields takes. */
export interface Pattern {
  readonly text: string;
  readonly second: Has;
  readonly minute: Has;
  readonly hour: Has;
  readonly day: Has;
  readonly month: Has;
  /** 0 is Sunday. */
  readonly weekday: Has;
  /** Whether one of the two day fields is enough. */
  readonly either: boolean;
  /** Whether it has fixed times, in the sense of the rule for changing clocks. */
  readonly fixed: boolean;
}

/** A field: how it is written, what it takes. */
export interface Field {
  readonly text: string;
  readonly has: Has;
}

export const star: Field = { text: "*", has: () => true };
export const exactly = (value: number): Field => ({ text: String(value), has: (other) => other === value });
export const stepped = (step: number, least = 0): Field => ({
  text: `*/${step}`,
  has: (value) => (value - least) % step === 0,
});

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

export interface Fields {
  readonly second?: Field;
  readonly minute: Field;
  readonly hour: Field;
  readonly day?: Field;
  readonly month?: Field;
  readonly weekday?: Field;
}

/** Puts an expression together. */
export function pattern({ second, minute, hour, day = star, month = star, weekday = star }: Fields): Pattern {
  const texts = [minute, hour, day, month, weekday].map((field) => field.text);
  const free = (field: Field): boolean => field.text === "*" || field.text === "?";
  return {
    text: (second === undefined ? texts : [second.text, ...texts]).join(" "),
    second: second?.has ?? ((value) => value === 0),
    minute: minute.has,
    hour: hour.has,
    day: day.has,
    month: month.has,
    weekday: weekday.has,
    either: !free(day) && !free(weekday),
    fixed: !minute.text.startsWith("*") && !hour.text.startsWith("*"),
  };
}

/** One item that a list may have; `near` are the values that are worth trying. */
function item(chance: Chance, least: number, most: number, near: readonly number[], names: readonly string[]): Field {
  const one = (): number => (chance.often(0.7) ? (chance.pick(near) ?? least) : least + chance.below(most - least + 1));
  const say = (value: number): string => {
    const name = names[value - least];
    return name !== undefined && chance.often(0.4) ? (chance.often(0.5) ? name : name.toLowerCase()) : String(value);
  };
  const step = 1 + chance.below(chance.often(0.8) ? 7 : most + 3);
  const from = one();
  const to = Math.min(most, from + chance.below(most - from + 1));
  switch (chance.below(5)) {
    case 0:
      return { text: `${say(from)}-${say(to)}`, has: (value) => value >= from && value <= to };
    case 1:
      return {
        text: `${say(from)}-${say(to)}/${step}`,
        has: (value) => value >= from && value <= to && (value - from) % step === 0,
      };
    case 2:
      return { text: `${say(from)}/${step}`, has: (value) => value >= from && (value - from) % step === 0 };
    default:
      return { text: say(from), has: (value) => value === from };
  }
}

/** A field that is not free: a list, sometimes with `*` or a step of it as its first or a later item. */
export function field(
  chance: Chance,
  least: number,
  most: number,
  near: readonly number[],
  names: readonly string[] = [],
): Field {
  const items = Array.from({ length: 1 + Math.floor(chance.below(8) / 4) + chance.below(2) }, () =>
    item(chance, least, most, near, names),
  );
  if (chance.often(0.15)) {
    const wide = chance.often(0.1) ? star : stepped(2 + chance.below(Math.min(most, 40)), least);
    items.splice(chance.below(items.length + 1), chance.often(0.5) ? items.length : 0, wide);
  }
  return { text: items.map(({ text }) => text).join(","), has: (value) => items.some(({ has }) => has(value)) };
}

/** Values that are worth trying, of each field. */
export interface Near {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  readonly weekdays: readonly number[];
}

/**
 * A valid expression.
 * @param dense - How often the minute or the hour may be `*`.
 */
export function randomPattern(chance: Chance, near: Near, dense: number, seconds = false): Pattern {
  const weekday = (): Field => {
    const { text, has } = field(chance, 0, 7, near.weekdays, WEEKDAYS);
    return { text, has: (value) => has(value) || (value === 0 && has(7)) };
  };
  const any = (): Field => (chance.often(0.3) ? { text: "?", has: () => true } : star);
  const day = chance.often(0.25) ? field(chance, 1, 31, near.days) : any();
  const ofWeek = chance.often(0.25) ? weekday() : day.text === "?" ? star : any();
  return pattern({
    ...(seconds ? { second: chance.often(0.1) ? star : field(chance, 0, 59, [0, 1, 30, 59]) } : {}),
    minute: chance.often(dense) ? star : field(chance, 0, 59, near.minutes),
    hour: chance.often(dense) ? star : field(chance, 0, 23, near.hours),
    day,
    month: chance.often(0.15) ? field(chance, 1, 12, near.months, MONTHS) : star,
    weekday: ofWeek,
  });
}
