/** One-line bugs of schedulers, as edits of the compiled core and memory store; the simulation of schedules must turn red for each. */
import type { PlantedBug } from "./bugs.ts";

const MODEL = "model/schedule.js";
const SCHEDULER = "core/scheduler.js";
const TICKS = "core/schedule-ticks.js";

const WRITE = "written = await this.#parts.calls.advance(steps.map(({ change }) => change));";
const BARE = "steps.map(({ change }) => ({ ...change, ticks: [] }))";
const INSERTS = "for (const { change } of steps) if (change.ticks.length > 0)";

export const scheduleBugs: readonly PlantedBug[] = [
  { what: "nothing: the copy itself is green", edits: [], by: [] },
  {
    what: "the version is not compared",
    edits: [["backends/memory/index.js", "?.version === from?.version", "?.version !== null"]],
    by: ["guard"],
  },
  {
    what: "a tick's id is random",
    edits: [[TICKS, "const hash = hashOf(name, instant);", "const hash = hashOf(name, Math.random());"]],
    by: ["tick-id"],
  },
  {
    what: "the row is advanced before the ticks are inserted",
    edits: [
      [
        SCHEDULER,
        WRITE,
        `written = await this.#parts.calls.advance(${BARE}); ${INSERTS} await this.#parts.calls.insert(change.ticks);`,
      ],
    ],
    by: ["count", "lost", "stored"],
  },
  {
    what: "the ticks are inserted before the row is advanced",
    edits: [
      [
        SCHEDULER,
        WRITE,
        `${INSERTS} await this.#parts.calls.insert(change.ticks); written = await this.#parts.calls.advance(${BARE});`,
      ],
    ],
    by: ["count", "lost", "stored"],
  },
  {
    what: "the cursor moves to the next instant before that has come",
    edits: [[MODEL, "cursor: newest,", "cursor: next ?? newest,"]],
    by: ["lost", "limit", "liveness"],
  },
  {
    what: "what was missed is made up for once only",
    edits: [[MODEL, "missed.length < max", "missed.length < Math.min(max, 1)"]],
    by: ["lost", "limit"],
  },
  {
    what: "the worker's own clock says what is due",
    edits: [[SCHEDULER, "const now = await storeTime.sync();", "const now = this.#parts.runtime.clock.wall();"]],
    by: ["early", "cursor", "liveness", "lost", "limit", "timetable"],
  },
  {
    what: "nobody looks whether the last run has ended",
    edits: [[SCHEDULER, "if (!needsLive(schedule))", "if (needsLive(schedule))"]],
    by: ["overlap"],
  },
  {
    what: "the next run comes without its predecessor being cancelled",
    edits: [[SCHEDULER, "of decision.cancel)", "of [])"]],
    by: ["overlap"],
  },
  {
    what: "the limit is one off",
    edits: [[MODEL, "limit - schedule.count)", "limit + 1 - schedule.count)"]],
    by: ["limit"],
  },
  {
    what: "jitter makes ticks early",
    edits: [[TICKS, "runAt: instant + wait", "runAt: instant - wait"]],
    by: ["jitter"],
  },
];
