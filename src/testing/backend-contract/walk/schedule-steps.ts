/** The steps of a walk that are about schedules: steps from versions current and old, with ticks, and every query. */
import type { ScheduleChange, ScheduleRow } from "../../../contracts/queue-backend.ts";
import { rowOf } from "../stage.ts";
import { draft } from "./drafts.ts";
import type { Step, Walker } from "./walker.ts";

/** Alike to whoever ignores case, or takes _ and % for patterns; the last two lie otherwise in JavaScript's own order. */
const NAMES = ["daily", "Daily", "d_ily", "d%", "\uff5a", "💾"] as const;

/** A step of one schedule: mostly as it is, sometimes as it once was, or as if there were none. */
function change(walker: Walker, current: readonly ScheduleRow[], now: number): ScheduleChange {
  const { chance } = walker;
  const name = chance.pick(NAMES);
  const row = chance.often(0.2)
    ? (chance.pick(walker.rows.filter((old) => old.name === name)) ?? null)
    : (current.find((one) => one.name === name) ?? null);
  const from = chance.often(0.1) ? null : row;
  walker.versions += 1;
  const dueAt = chance.pick([null, null, 1_000, 2_000, now, now + 1, now + 50, now + 30_000]);
  const to = rowOf(name, { version: walker.versions, dueAt, body: chance.pick(["{}", '{"text":"é💾"}', "[1, 2]"]) });
  const ticks = Array.from({ length: chance.below(4) }, () => draft(walker));
  return { from, to: from !== null && chance.often(0.2) ? null : to, ticks };
}

export const advance: Step = async (walker) => {
  const now = await walker.now();
  const current = await walker.currentRows();
  const changes = Array.from({ length: 1 + walker.chance.below(4) }, () => change(walker, current, now));
  walker.rows.push(...changes.flatMap(({ to }) => to ?? []));
  const brief = changes.map(
    ({ from, to, ticks }) =>
      `${(from ?? to)?.name} v${from?.version} to v${to?.version} with ${ticks.map(({ record }) => `${record.id.slice(-12)} ${record.key ?? ""}`).join(", ")}`,
  );
  await walker.ask(`advance ${brief.join("; ")}`, (store) => store.advance(changes));
};

export const lookAtSchedules: Step = async (walker) => {
  const { chance } = walker;
  const limit = chance.pick([1, 2, 50]);
  const after = chance.often(0.4) ? chance.pick([...NAMES, "D", "daily "]) : null;
  const names = chance.some([...NAMES, "nothing"], chance.below(4));
  await walker.ask(`schedules ${names}`, (store) => store.schedules({ by: "name", names }));
  await walker.ask(`due after ${after}`, (store) => store.schedules({ by: "due", after, limit }));
  await walker.ask(`all after ${after}`, (store) => store.schedules({ by: "all", after, limit }));
  // Which of two that want to be looked at in the same millisecond comes first is left open.
  const when = (rows: readonly ScheduleRow[]): unknown => rows.map(({ dueAt }) => dueAt);
  await walker.ask("next schedule", (store) => store.schedules({ by: "next" }), when);
};
