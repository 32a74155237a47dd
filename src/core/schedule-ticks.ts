/** Ticks: the records of a schedule. Each goes through the same door as an enqueue, under an id that follows from its instant. */
import { createHash } from "node:crypto";
import { parseDuration } from "../model/duration.ts";
import { decodeJson } from "../model/json.ts";
import type { Draft, JsonText, Millis, Origin } from "../model/record.ts";
import type { Schedule } from "../model/schedule.ts";
import type { Settings } from "./config.ts";
import { NO_OPTIONS, prepare, validated } from "./prepare.ts";
import type { EnqueueOptions, Task } from "./vocabulary.ts";

/** The id of the tick of one nominal instant: a UUID of version 7 whose time is that instant; the same whoever makes it. */
export function tickId(name: string, instant: Millis): string {
  const hash = hashOf(name, instant);
  const time = instant.toString(16).padStart(12, "0").slice(-12);
  const variant = (8 | (Number.parseInt(hash.charAt(3), 16) & 3)).toString(16);
  return [time.slice(0, 8), time.slice(8), `7${hash.slice(0, 3)}`, variant + hash.slice(4, 7), hash.slice(7, 19)].join(
    "-",
  );
}

/** A tick's share of its schedule's jitter, 0 to 1: the same whoever makes it. */
function chanceOf(name: string, instant: Millis): number {
  return Number.parseInt(hashOf(name, instant).slice(19, 31), 16) / 16 ** 12;
}

function hashOf(name: string, instant: Millis): string {
  return createHash("sha256").update(`${name}\n${instant}`).digest("hex");
}

/**
 * The task's input as the schedule gives it, checked as an enqueue checks it.
 * @throws INPUT_INVALID
 */
export async function inputOf(task: Task, text: JsonText | null): Promise<unknown> {
  const input = text === null ? undefined : decodeJson(text);
  if (task.schema !== null) await validated(task, input, "input");
  return input;
}

/** What every tick of a schedule is enqueued with. */
export function optionsOf({ definition }: Pick<Schedule, "definition">): EnqueueOptions<unknown> {
  return definition.options === null ? NO_OPTIONS : (decodeJson(definition.options) as EnqueueOptions<unknown>);
}

/** The drafts of the ticks of these instants. @throws as `enqueue` does before it writes */
export function tickDrafts(
  settings: Settings,
  name: string,
  schedule: Schedule,
  instants: readonly Millis[],
  { task, input }: { readonly task: Task; readonly input: unknown },
): readonly Draft[] {
  const options = optionsOf(schedule);
  const delay = task.options.delay === undefined ? 0 : parseDuration(task.options.delay, `Task ${task.name}: delay`);
  return instants.map((instant) => {
    const wait = Math.floor(chanceOf(name, instant) * (schedule.definition.jitter + 1)) + delay;
    const origin: Origin = { kind: "schedule", schedule: name, scheduledFor: instant };
    const { draft } = prepare(
      task,
      input,
      { ...options, runAt: instant + wait },
      { id: tickId(name, instant), execution: settings.executionBackend, what: "input", checked: false, origin },
    );
    return draft;
  });
}
