/** What may stand in a task's `schedule`, in types and at run time; and what the refusals say. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";
import { registry } from "../../src/core/registry.ts";
import { checkSchedule, type ScheduleOptions } from "../../src/core/schedule-options.ts";
import type { Schedules } from "../../src/core/schedule-types.ts";
import { task } from "../../src/core/task.ts";
import type { ErrorCode } from "../../src/model/errors.ts";

const BAD: readonly (readonly [unknown, ErrorCode, RegExp])[] = [
  [null, "SCHEDULE_INVALID", /S: the schedule is null, not an object/],
  ["* * * * *", "SCHEDULE_INVALID", /S: the schedule is "\* \* \* \* \*", not an object/],
  [[], "SCHEDULE_INVALID", /not an object/],
  [{}, "SCHEDULE_INVALID", /S: neither of cron and interval is given/],
  [{ cron: "@daily", interval: 5_000 }, "SCHEDULE_INVALID", /S: both of cron and interval/],
  [{ corn: "@daily" }, "SCHEDULE_INVALID", /no part "corn" of a schedule; there are cron, interval, timezone/],
  [{ cron: "61 * * * *" }, "SCHEDULE_INVALID", /S: .*61/],
  [{ cron: 5 }, "SCHEDULE_INVALID", /S: /],
  [{ cron: "@reboot" }, "SCHEDULE_INVALID", /S: .*@reboot/],
  [{ cron: "@daily", timezone: "Mars/Olympus" }, "SCHEDULE_INVALID", /S: .*Mars\/Olympus/],
  [{ cron: "@daily", timezone: 1 }, "SCHEDULE_INVALID", /S: /],
  [{ interval: 0 }, "DURATION_INVALID", /S: interval is 0, which is no duration \(at least 100 ms/],
  [{ interval: -1 }, "DURATION_INVALID", /S: interval is -1/],
  [{ interval: "99ms" }, "DURATION_INVALID", /S: interval is "99ms"/],
  [{ interval: Number.POSITIVE_INFINITY }, "DURATION_INVALID", /S: interval is Infinity/],
  [{ interval: "soon" }, "DURATION_INVALID", /S: interval is "soon"/],
  [{ interval: "1m", jitter: -1 }, "DURATION_INVALID", /S: jitter is -1/],
  [{ interval: "1m", limit: 0 }, "SCHEDULE_INVALID", /S: limit is 0, not a whole number of at least 1/],
  [{ interval: "1m", limit: 1.5 }, "SCHEDULE_INVALID", /S: limit is 1.5/],
  [{ interval: "1m", startAt: "tomorrow" }, "SCHEDULE_INVALID", /S: startAt is "tomorrow", not a Date or milliseconds/],
  [{ interval: "1m", endAt: new Date(Number.NaN) }, "SCHEDULE_INVALID", /S: endAt is null, not a Date/],
  [{ interval: "1m", startAt: 9, endAt: 8 }, "SCHEDULE_INVALID", /endAt \(1970-.*8Z\) is before startAt \(1970-.*9Z\)/],
  [{ interval: "1m", misfire: "run" }, "SCHEDULE_INVALID", /S: misfire is "run", not "skip", "latest" or \{ all:/],
  [{ interval: "1m", misfire: { all: 5 } }, "SCHEDULE_INVALID", /S: misfire is \{"all":5\}/],
  [
    { interval: "1m", misfire: { all: { within: "1h" } } },
    "SCHEDULE_INVALID",
    /S: misfire.all is .* a max from 1 to 1000/,
  ],
  [{ interval: "1m", misfire: { all: { max: 1_001, within: "1h" } } }, "SCHEDULE_INVALID", /S: misfire.all is/],
  [{ interval: "1m", misfire: { all: { max: 1 } } }, "DURATION_INVALID", /S: misfire.all.within is undefined/],
  [{ interval: "1m", misfire: { all: { max: 1, within: 1, x: 1 } } }, "SCHEDULE_INVALID", /S: misfire.all is/],
  [
    { interval: "1m", overlap: "never" },
    "SCHEDULE_INVALID",
    /overlap is "never", not "allow" or "skip" or "queue-one"/,
  ],
  [{ interval: "1m", input: new Map() }, "INPUT_NOT_JSON", /S: input is a Map/],
  [{ interval: "1m", input: { a: 1n } }, "INPUT_NOT_JSON", /S: input\.a is a bigint/],
];

it("refuses what cannot be, and names the part", () => {
  for (const [value, code, message] of BAD) {
    assert.throws(
      () => checkSchedule(value, "S"),
      { code, message },
      JSON.stringify(value, (_, inner) => String(inner)),
    );
  }
});

it("fills in what is left out", () => {
  assert.deepEqual(checkSchedule({ cron: " 0 3 * * MON ", timezone: "Europe/Berlin" }, "S"), {
    cron: "0 3 * * MON",
    interval: null,
    timezone: "Europe/Berlin",
    jitter: 0,
    startAt: null,
    endAt: null,
    limit: null,
    misfire: "latest",
    overlap: "skip",
    input: null,
    options: null,
  });
  const full = {
    interval: "1m",
    jitter: "2s",
    startAt: new Date(3),
    endAt: 4,
    limit: 5,
    overlap: "queue-one",
  } as const;
  const checked = checkSchedule({ ...full, misfire: { all: { max: 6, within: "7s" } }, input: [8] }, "S");
  const { interval, jitter, startAt, endAt, limit, misfire, input } = checked;
  assert.deepEqual([interval, jitter, startAt, endAt, limit], [60_000, 2_000, 3, 4, 5]);
  assert.deepEqual([misfire, input], [{ all: { max: 6, within: 7_000 } }, "[8]"]);
});

it("is refused in a definition by the task's name, before the task is registered", () => {
  const bad: readonly (readonly [object, RegExp])[] = [
    [{ schedule: { cron: "x" } }, /Task opt\.bad: schedule: /],
    [{ schedule: { interval: "1m" }, executionBackend: "immediate" }, /Task opt\.bad: schedule: an immediate task/],
    [{ schedule: { interval: "1m" }, uniqueBy: "task", uniqueUntil: "forever" }, /its key is held forever/],
  ];
  for (const [options, message] of bad) {
    assert.throws(() => task("opt.bad", options, () => {}), { code: "SCHEDULE_INVALID", message });
    assert.equal(registry.get("opt.bad"), undefined);
  }
});

// The compiler is the test of what follows; nothing of it runs.
declare const schedules: Schedules;

async function types(): Promise<void> {
  task("types.canary", { schedule: { interval: "60s" } }, async () => {});
  task("types.input", { schedule: { cron: "@daily", input: { n: 1 } } }, async (input: { n: number }) => input.n);
  task("types.optional", { schedule: { cron: "@daily" } }, async (input?: { n: number }) => input?.n);
  task("types.context", { schedule: { cron: "@daily", input: { n: 1 } } }, async (input: { n: number }, ctx) => {
    await ctx.log(input.n);
  });
  // @ts-expect-error: another input
  task("types.wrong", { schedule: { interval: 100, input: "1" } }, async (input: number, ctx) => ctx.log(input));
  // @ts-expect-error: the task takes an input
  task("types.none", { schedule: { cron: "@daily" } }, async (input: { n: number }) => input.n);
  // @ts-expect-error: another input
  task("types.other", { schedule: { cron: "@daily", input: { n: "1" } } }, async (input: { n: number }) => input.n);
  // @ts-expect-error: no such policy
  task("types.policy", { schedule: { cron: "@daily", overlap: "never" } }, async () => {});
  const validated = task(
    "types.schema",
    { input: z.object({ n: z.number().default(3) }), schedule: { cron: "@daily", input: {} } },
    async ({ n }) => n + 1,
  );
  await schedules.create("a", { task: validated, cron: "@daily", input: { n: 5 } });
  // @ts-expect-error: another input
  await schedules.create("a", { task: validated, cron: "@daily", input: { n: "5" } });
  // @ts-expect-error: the task takes an input
  await schedules.create("a", { task: validated, cron: "@daily" });
  await schedules.create("a", { task: "by.name", cron: "@daily", input: { any: "thing" } });
  await schedules.update("a", { limit: null, overlap: "allow" });
  // @ts-expect-error: schedules are no option of an enqueue, nor of a default
  const wrong: ScheduleOptions = { cron: "@daily", queue: "x" };
  void wrong;
}
void types;
