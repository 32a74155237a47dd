/** The grammar of cron expressions: from text to numbers, refusing by name whatever it does not know. */
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";

/** One field of an expression. */
export interface CronField {
  /** As written, in capitals. */
  readonly text: string;
  /** The values it takes, ascending; of weekdays 0 (Sunday) to 6. */
  readonly values: readonly number[];
  /** Whether it is `*` or `?`. */
  readonly any: boolean;
}

/** A cron expression, understood. */
export interface CronFields {
  /** As given, without the space around it. */
  readonly expression: string;
  readonly second: CronField;
  readonly minute: CronField;
  readonly hour: CronField;
  readonly day: CronField;
  readonly month: CronField;
  readonly weekday: CronField;
}

interface FieldRule {
  readonly key: Exclude<keyof CronFields, "expression">;
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** Names of the values from `least` on. */
  readonly names: readonly string[];
  readonly allowed: string;
}

const LONGEST = 200;
const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split(" ");

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
]);

const RULES: readonly FieldRule[] = [
  { key: "second", name: "second", least: 0, most: 59, names: [], allowed: "0 to 59" },
  { key: "minute", name: "minute", least: 0, most: 59, names: [], allowed: "0 to 59" },
  { key: "hour", name: "hour", least: 0, most: 23, names: [], allowed: "0 to 23" },
  { key: "day", name: "day of month", least: 1, most: 31, names: [], allowed: "1 to 31, ?" },
  { key: "month", name: "month", least: 1, most: 12, names: MONTHS, allowed: "1 to 12, JAN to DEC" },
  { key: "weekday", name: "weekday", least: 0, most: 7, names: WEEKDAYS, allowed: "0 to 7, SUN to SAT, ?" },
];

/** What other cron dialects have: refused, and by its name. */
const FOREIGN: readonly (readonly [form: RegExp, why: string])[] = [
  [/^L(?:-\d+)?$|^(?:\d+|[A-Z]{3})L$/u, "L (the last day) is not supported"],
  [/^(?:\d+|L)?W$/u, "W (the nearest working day) is not supported"],
  [/#/u, "# (the nth weekday of a month) is not supported"],
  [/^\+/u, "+ (both day fields must match) is not supported"],
  [/\?/u, "? is taken only alone, in the day of month or the weekday"],
  [/~/u, "~ (a random value) is not supported"],
  [/^H(?:$|[(/])/u, "H (a hashed value) is not supported"],
];

/**
 * Reads five fields, six with seconds first, or an alias such as `@daily`.
 * @throws SCHEDULE_INVALID naming the field, the part of it, and what is allowed there
 */
export function parseFields(value: unknown): CronFields {
  const expression = checkText(value);
  const refuse = (why: string): never => {
    throw new SiderealError("SCHEDULE_INVALID", `Cron expression ${quoted(expression)}: ${why}`);
  };
  const texts = (expression.startsWith("@") ? expanded(expression, refuse) : expression).toUpperCase().split(/[ \t]+/u);
  if (texts.length > 6) refuse(`it has ${texts.length} fields; years are not supported, at most six are`);
  if (texts.length < 5) {
    refuse(
      `it has ${texts.length} of the five fields minute, hour, day of month, month, weekday (or six, seconds first)`,
    );
  }
  if (texts.length === 5) texts.unshift("0");
  if (texts[3] === "?" && texts[5] === "?") refuse("? is in the day of month and in the weekday; only one may have it");
  const [second, minute, hour, day, month, weekday] = RULES.map((rule, at) => readField(rule, texts[at] ?? "", refuse));
  if (!(second && minute && hour && day && month && weekday)) return refuse("it has too few fields");
  return { expression, second, minute, hour, day, month, weekday };
}

function checkText(value: unknown): string {
  if (typeof value !== "string") {
    throw new SiderealError("SCHEDULE_INVALID", `Cron expression is ${quoted(value)}, which is not text`);
  }
  if (value.length > LONGEST) {
    throw new SiderealError(
      "SCHEDULE_INVALID",
      `Cron expression ${quoted(value)}: it has ${value.length} characters, and ${LONGEST} are allowed`,
    );
  }
  const text = value.trim();
  const odd = /[^ -~\t]/u.exec(text)?.[0]?.codePointAt(0);
  if (odd !== undefined || text === "") {
    const code = odd?.toString(16).toUpperCase().padStart(4, "0");
    const why = code === undefined ? "it is empty" : `it has the character U+${code}, which no field may have`;
    throw new SiderealError("SCHEDULE_INVALID", `Cron expression ${quoted(value)}: ${why}`);
  }
  return text;
}

function expanded(text: string, refuse: (why: string) => never): string {
  const alias = ALIASES.get(text.toLowerCase());
  if (alias !== undefined) return alias;
  const known = [...ALIASES.keys()].join(" ");
  if (text.toLowerCase() === "@reboot")
    return refuse(`@reboot names no time and is not supported; allowed are ${known}`);
  return refuse(`it is no alias that is known; allowed are ${known}`);
}

function readField(rule: FieldRule, text: string, refuse: (why: string) => never): CronField {
  const days = rule.key === "day" || rule.key === "weekday";
  const any = text === "*" || (text === "?" && days);
  const taken = new Set<number>();
  for (const item of (any ? "*" : text).split(",")) {
    const complain = (why: string): never => {
      const part = item === text ? quoted(item) : `${quoted(item)} of ${quoted(text)}`;
      return refuse(`the ${rule.name} is ${part}: ${why}. Allowed: *, ${rule.allowed}, lists, ranges a-b and steps /n`);
    };
    const { from, to, step } = readItem(rule, item, complain);
    for (let value = from; value <= to; value += step) taken.add(rule.key === "weekday" ? value % 7 : value);
  }
  return { text, any, values: [...taken].sort((a, b) => a - b) };
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/** `*`, `n`, `a-b`, each with or without `/step`; `n/step` runs to the greatest value of the field. */
function readItem(rule: FieldRule, item: string, complain: (why: string) => never): Span {
  if (item === "") return complain("an item of the list is empty");
  const foreign = FOREIGN.find(([form]) => form.test(item));
  if (foreign !== undefined) return complain(foreign[1]);
  const match = /^(\*|[A-Z0-9]+)(?:-([A-Z0-9]+))?(?:\/([0-9]+))?$/u.exec(item);
  if (match === null || (match[1] === "*" && match[2] !== undefined)) return complain("it cannot be understood");
  const step = match[3] === undefined ? 1 : Number(match[3]);
  if (step < 1) return complain("a step must be 1 or more");
  if (match[1] === "*") return { from: rule.least, to: rule.most, step };
  const from = readValue(rule, match[1] ?? "", complain);
  const to = match[2] === undefined ? undefined : readValue(rule, match[2], complain);
  if (to !== undefined && to < from) {
    const sunday = rule.key === "weekday" && to === 0 ? " (a Sunday that ends a range is 7)" : "";
    return complain(`the range runs backwards${sunday}`);
  }
  return { from, to: to ?? (match[3] === undefined ? from : rule.most), step };
}

function readValue(rule: FieldRule, text: string, complain: (why: string) => never): number {
  const digits = /^[0-9]+$/u.test(text);
  const value = digits ? Number(text) : rule.names.indexOf(text) + rule.least;
  if (!digits && value < rule.least) return complain(`"${text}" is not known here`);
  if (value < rule.least || value > rule.most) return complain(`"${text}" is out of range`);
  return value;
}
