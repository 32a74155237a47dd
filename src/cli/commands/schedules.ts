/** `sidereal schedules`: what runs when, how the last run ended, and what an operator may do about it. */
import { formatAge, type QueueService, type ScheduleInfo } from "../../index.ts";
import { safe, say } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import type { Source } from "../load.ts";
import { jsonOf, nameOf, tableOf, wholeOf } from "../values.ts";

type Out = (text: string) => void;

export interface SchedulesFlags {
  readonly json?: boolean;
}

const PAGE = 1_000;
const COLUMNS = [...["Name", "When", "Zone", "State", "Next runs", "Last run"]].map((title) => ({ title }));

/** Lists every schedule. @returns 0 */
export async function list(flags: SchedulesFlags, source: Source, out: Out): Promise<number> {
  return onExisting(source, async ({ service, now }) => {
    const all = await everySchedule(service);
    if (flags.json === true) out(jsonOf(all));
    else {
      out(
        tableOf(
          COLUMNS,
          all.map((info) => rowOf(info, now).map(safe)),
        ),
      );
      if (all.length === 0) say("note: there is no schedule; a start of the application or of a worker makes them");
    }
    for (const { name, problem } of all) if (problem !== null) say(`note: schedule ${name}: ${problem}`);
    return EXIT.done;
  });
}

async function everySchedule({ schedules }: Pick<QueueService, "schedules">): Promise<readonly ScheduleInfo[]> {
  const all: ScheduleInfo[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof schedules.list>> = await schedules.list({ cursor, limit: PAGE });
    all.push(...page.schedules);
    ({ cursor } = page);
  } while (cursor !== null);
  return all;
}

function rowOf(info: ScheduleInfo, now: number): readonly string[] {
  const { name, words, timezone, state, nextRuns, last } = info;
  return [name, words, timezone, state, nextRuns.map(shortIso).join(" ") || "none", lastText(last, now)];
}

function lastText(last: ScheduleInfo["last"], now: number): string {
  if (last === null) return "none";
  // Retention removes records, and a key may have kept one from being made.
  if (last.status === null) return `no record of ${shortIso(last.scheduledFor)}`;
  const ago = last.finishedAt === null ? "" : ` ${formatAge(Math.max(0, now - last.finishedAt.getTime()))} ago`;
  return `${last.status}${ago}`;
}

const shortIso = (at: Date): string => at.toISOString().replace(/\.000Z$/u, "Z");

export interface PreviewFlags extends SchedulesFlags {
  readonly count?: string;
}

/** Prints the next times of one schedule. @returns 0 */
export async function preview(name: string, flags: PreviewFlags, source: Source, out: Out): Promise<number> {
  nameOf(name, "<name>");
  const count = wholeOf(flags.count ?? "5", "--count", 1, 1_000);
  return onExisting(source, async ({ service }) => {
    const times = await service.schedules.preview(name, { count });
    out(flags.json === true ? jsonOf(times) : times.map((at) => `${at.toISOString()}\n`).join(""));
    if (times.length === 0) say("note: no time is left");
    return EXIT.done;
  });
}

/** Pauses, resumes, runs or removes one schedule. @returns 0; 1 when there is none of that name */
export async function change(
  verb: "pause" | "resume" | "run" | "remove",
  name: string,
  flags: SchedulesFlags,
  source: Source,
  out: Out,
): Promise<number> {
  nameOf(name, "<name>");
  return onExisting(
    source,
    async ({ service: { schedules } }) => {
      let [told, text]: [object, string] = [{}, ""];
      if (verb === "run") {
        const { id, taskName } = await schedules.runNow(name);
        [told, text] = [{ name, id, task: taskName }, id];
      } else if (verb === "remove") {
        const removed = await schedules.remove(name);
        [told, text] = [{ name, removed }, removed ? `removed ${name}` : `there was no schedule ${name}`];
      } else {
        const info = await schedules[verb](name);
        const next = info.nextRuns[0];
        [told, text] = [info, `${name} is ${info.state}${next === undefined ? "" : `, next at ${shortIso(next)}`}`];
      }
      out(flags.json === true ? jsonOf(told) : `${safe(text)}\n`);
      return verb === "remove" && !("removed" in told && told.removed) ? EXIT.failed : EXIT.done;
    },
    { withTasks: verb === "run" },
  );
}
