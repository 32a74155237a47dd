/** What a schedule becomes: misfire, overlap, pauses, bounds; and that no instant ever makes two ticks, whatever happens. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type DueDecision,
  decide,
  dueAt,
  type LiveTick,
  type MisfirePolicy,
  type OverlapPolicy,
  paused,
  redefined,
  resumed,
  type Schedule,
  type ScheduleDefinition,
  scheduled,
  troubled,
} from "../../src/model/schedule.ts";
import { decodeSchedule, encodeDefinition, encodeSchedule } from "../../src/model/schedule-text.ts";
import { grid, type Timetable, within } from "../../src/model/timetable.ts";

const MINUTE = 60_000;
const NEVER: Timetable = { next: () => null, previous: () => null };

function definition(parts: Partial<ScheduleDefinition> = {}): ScheduleDefinition {
  return {
    cron: null,
    interval: MINUTE,
    timezone: "UTC",
    jitter: 0,
    startAt: null,
    endAt: null,
    limit: null,
    misfire: "latest",
    overlap: "skip",
    input: null,
    options: null,
    ...parts,
  };
}

/** Every minute, made at 0; with the bounds that the definition names. */
function tableOf({ interval, startAt, endAt }: ScheduleDefinition): Timetable {
  return within(grid(interval ?? MINUTE, startAt ?? 0), startAt ?? 1, endAt);
}

function made(parts: Partial<ScheduleDefinition> = {}): Schedule {
  const own = definition(parts);
  return scheduled({ taskName: "t", origin: "code", definition: own, now: 0, timetable: tableOf(own) });
}

const idOf = (instant: number): string => `tick ${instant}`;

function at(schedule: Schedule, now: number, live: readonly LiveTick[] = []): DueDecision | null {
  return decide(schedule, { now, timetable: tableOf(schedule.definition), live, idOf });
}

const minutes = (...counts: number[]): number[] => counts.map((count) => count * MINUTE);
const running = (minute: number): LiveTick => ({ id: idOf(minute * MINUTE), isPending: false });
const pending = (minute: number): LiveTick => ({ id: idOf(minute * MINUTE), isPending: true });

describe("a schedule on time", () => {
  it("begins after it was made, and makes one tick per instant", () => {
    let schedule = made();
    assert.deepEqual([schedule.next, dueAt(schedule, 0), at(schedule, MINUTE - 1)], [MINUTE, MINUTE, null]);
    for (let minute = 1; minute <= 5; minute += 1) {
      const decision = at(schedule, minute * MINUTE + 3);
      assert.ok(decision);
      assert.deepEqual([decision.ticks, decision.missed], [minutes(minute), false]);
      schedule = decision.schedule;
      assert.equal(at(schedule, minute * MINUTE + 4), null, "once");
      assert.deepEqual([schedule.next, schedule.count], [(minute + 1) * MINUTE, minute]);
      assert.deepEqual(schedule.last, { id: idOf(minute * MINUTE), scheduledFor: minute * MINUTE });
    }
  });

  it("makes every tick that is late by up to five seconds, and the newest one up to a minute", () => {
    const often = made({ interval: 1_000, misfire: "skip", overlap: "allow" });
    assert.deepEqual(at(often, 5_000)?.ticks, [1_000, 2_000, 3_000, 4_000, 5_000]);
    assert.deepEqual(at(often, 7_500)?.ticks, [3_000, 4_000, 5_000, 6_000, 7_000]);
    const daily = made({ misfire: "skip", interval: 86_400_000 });
    assert.deepEqual(at(daily, 86_460_000)?.ticks, [86_400_000]);
    assert.deepEqual(at(daily, 86_460_001)?.ticks, []);
  });
});

describe("misfire", () => {
  const down: readonly (readonly [missed: number, policy: MisfirePolicy, ticks: readonly number[]])[] = [
    [0, "skip", [1]],
    [0, "latest", [1]],
    [0, { all: { max: 1_000, within: 1e12 } }, [1]],
    [1, "skip", []],
    [1, "latest", [1]],
    [1, { all: { max: 1_000, within: 1e12 } }, [1]],
    [1, { all: { max: 1_000, within: MINUTE } }, []],
    [1_000, "skip", []],
    [1_000, "latest", [1_000]],
    [1_000, { all: { max: 1_000, within: 1e12 } }, Array.from({ length: 1_000 }, (_, index) => index + 1)],
    [1_000, { all: { max: 3, within: 1e12 } }, [998, 999, 1_000]],
    [1_000, { all: { max: 1_000, within: 241_000 } }, [999, 1_000]],
  ];
  for (const [missed, misfire, ticks] of down) {
    it(`${JSON.stringify(misfire)} after ${missed} missed ticks makes ${ticks.length}`, () => {
      const schedule = made({ misfire, overlap: "allow", interval: 2 * MINUTE });
      // Ticks come every two minutes, so that the newest, too, can be missed.
      const now = missed === 0 ? 2 * MINUTE : missed * 2 * MINUTE + 61_000;
      const decision = at(schedule, now);
      assert.ok(decision);
      assert.deepEqual(
        decision.ticks,
        ticks.map((tick) => tick * 2 * MINUTE),
      );
      assert.equal(decision.missed, missed > 0);
      assert.equal(decision.schedule.next, (Math.max(missed, 1) + 1) * 2 * MINUTE);
      assert.equal(at(decision.schedule, now), null, "what was missed is dealt with for good");
    });
  }

  it("looks at no more instants than it makes, however many were missed", () => {
    let looks = 0;
    const table = grid(1_000, 0);
    const counting: Timetable = {
      next: table.next,
      previous: (instant) => {
        looks += 1;
        return table.previous(instant);
      },
    };
    const year = 365 * 86_400_000;
    for (const [misfire, most] of [
      ["skip", 10],
      ["latest", 10],
      [{ all: { max: 50, within: year } }, 60],
    ] as const) {
      looks = 0;
      const schedule = made({ interval: 1_000, misfire, overlap: "allow" });
      decide(schedule, { now: year, timetable: counting, live: [], idOf });
      assert.ok(looks <= most, `${looks} looks for ${JSON.stringify(misfire)}`);
    }
  });

  it("goes on where the zone's rules have changed under it", () => {
    const schedule = { ...made(), next: MINUTE };
    const decision = decide(schedule, { now: 90_000, timetable: NEVER, live: [], idOf });
    assert.deepEqual([decision?.ticks, decision?.schedule.next], [[], null]);
  });
});

describe("overlap", () => {
  const cases: readonly (readonly [
    overlap: OverlapPolicy,
    live: readonly LiveTick[],
    ticks: readonly number[],
    cancel: number,
  ])[] = [
    ["allow", [], [2], 0],
    ["skip", [], [2], 0],
    ["skip", [running(1)], [], 0],
    ["skip", [pending(1)], [], 0],
    ["queue-one", [], [2], 0],
    ["queue-one", [running(1)], [2], 0],
    ["queue-one", [pending(1)], [], 0],
    ["queue-one", [running(0), pending(1)], [], 0],
    ["cancel-running", [], [2], 0],
    ["cancel-running", [running(1)], [2], 1],
    ["cancel-running", [running(0), pending(1)], [2], 2],
  ];
  for (const [overlap, live, ticks, cancels] of cases) {
    it(`${overlap} beside ${live.map(({ isPending }) => (isPending ? "pending" : "running")).join(", ") || "none"}`, () => {
      const schedule = { ...made({ overlap }), cursor: MINUTE, next: 2 * MINUTE, live: live.map(({ id }) => id) };
      const decision = at(schedule, 2 * MINUTE, live);
      assert.ok(decision);
      assert.deepEqual([decision.ticks, decision.cancel.length], [minutes(...ticks), cancels]);
      assert.equal(decision.schedule.next, 3 * MINUTE, "the series goes on in any case");
      assert.equal(decision.schedule.count, ticks.length);
      const expected = [...live.map(({ id }) => id), ...minutes(...ticks).map(idOf)];
      assert.deepEqual(decision.schedule.live, expected);
    });
  }

  it("makes up for missed ticks one after the other, where they must not overlap", () => {
    const all: MisfirePolicy = { all: { max: 3, within: 1e12 } };
    for (const overlap of ["skip", "queue-one"] as const) {
      const now = 10 * MINUTE + 1;
      const first = at(made({ overlap, misfire: all }), now);
      assert.ok(first);
      assert.deepEqual(first.ticks, minutes(7), overlap);
      assert.deepEqual(first.schedule.waiting, minutes(8, 9));
      assert.equal(dueAt(first.schedule, now), now + 1_000, "it is looked at again soon");
      assert.equal(at(first.schedule, now + 1_000, [pending(7)]), null, "not before there is room");
      const second = at(first.schedule, now + 2_000);
      assert.deepEqual([second?.ticks, second?.schedule.waiting], [minutes(8), minutes(9)]);
      assert.equal(second?.schedule.cursor, first.schedule.cursor);
      const third = at(second?.schedule as Schedule, now + 3_000);
      assert.deepEqual([third?.ticks, third?.schedule.waiting], [minutes(9), []]);
      assert.equal(dueAt(third?.schedule as Schedule, now), 11 * MINUTE);
    }
  });

  it("makes only the newest of several where each would cancel the one before", () => {
    const schedule = made({ overlap: "cancel-running", misfire: { all: { max: 9, within: 1e12 } } });
    assert.deepEqual(at(schedule, 10 * MINUTE)?.ticks, minutes(10));
  });

  it("remembers a bounded number of ticks", () => {
    for (const [overlap, most] of [
      ["allow", 10],
      ["cancel-running", 100],
    ] as const) {
      const live = Array.from({ length: 100 }, (_, index) => running(-index));
      const schedule = { ...made({ overlap }), live: live.map(({ id }) => id) };
      assert.equal(at(schedule, MINUTE, live)?.schedule.live.length, most);
    }
  });
});

describe("the end of a series", () => {
  it("comes after `limit` ticks, whatever was missed", () => {
    const schedule = made({ limit: 3, overlap: "allow", misfire: { all: { max: 100, within: 1e12 } } });
    const decision = at(schedule, 10 * MINUTE);
    assert.deepEqual(decision?.ticks, minutes(1, 2, 3));
    assert.deepEqual([decision?.schedule.next, dueAt(decision?.schedule as Schedule, 0)], [null, null]);
  });

  it("comes after `endAt`, and missed ticks before it are still dealt with", () => {
    const schedule = made({ endAt: 2 * MINUTE + 30_000, misfire: "latest" });
    const decision = at(schedule, 60 * MINUTE);
    assert.deepEqual([decision?.ticks, decision?.schedule.next], [minutes(2), null]);
    assert.equal(at(decision?.schedule as Schedule, 90 * MINUTE), null);
  });

  it("is lifted by a higher limit: it goes on from then", () => {
    const ended = at(made({ limit: 1 }), MINUTE)?.schedule as Schedule;
    const own = definition({ limit: 2 });
    const facts = {
      taskName: "t",
      origin: "code",
      definition: own,
      now: 10 * MINUTE,
      timetable: tableOf(own),
    } as const;
    assert.equal(redefined(ended, facts).next, 11 * MINUTE);
    assert.equal(redefined(ended, { ...facts, definition: definition({ limit: 1, jitter: 1 }) }).next, null);
  });

  it("begins at `startAt`, which is the first instant of an interval", () => {
    assert.equal(made({ startAt: 10 * MINUTE + 7 }).next, 10 * MINUTE + 7);
    assert.equal(made({ startAt: 10 * MINUTE + 7, endAt: 10 * MINUTE }).next, null);
  });
});

describe("pause, resume, change", () => {
  it("makes nothing while paused, and does not make up for it", () => {
    const schedule = made({ misfire: { all: { max: 100, within: 1e12 } }, overlap: "allow" });
    const still = paused(schedule, 5);
    assert.deepEqual([dueAt(still, 5), at(still, 10 * MINUTE), still.pausedAt], [null, null, 5]);
    assert.equal(paused(still, 9), still, "the first pause counts");
    const table = tableOf(still.definition);
    const again = resumed(still, 10 * MINUTE + 1, table);
    assert.deepEqual([again.next, again.pausedAt], [11 * MINUTE, null]);
    assert.deepEqual(at(again, 11 * MINUTE)?.ticks, minutes(11));
    assert.equal(resumed(again, 12 * MINUTE, table), again);
  });

  it("counts a new timetable from now on, never back", () => {
    const before = { ...made(), cursor: 20 * MINUTE, next: 21 * MINUTE, count: 7, waiting: minutes(3) };
    const own = definition({ interval: 2 * MINUTE });
    const facts = { taskName: "t", origin: "code", definition: own, now: 5 * MINUTE, timetable: tableOf(own) } as const;
    const moved = redefined(before, facts);
    assert.deepEqual([moved.next, moved.count, moved.waiting], [22 * MINUTE, 7, []], "no instant comes twice");
    assert.equal(redefined(before, { ...facts, now: 29 * MINUTE }).next, 30 * MINUTE);
  });

  it("keeps what is due through any other change, a pause too", () => {
    const before = paused({ ...made(), problem: "broken" }, 3);
    const own = definition({ jitter: 5, overlap: "allow", misfire: "skip" });
    const facts = {
      taskName: "t",
      origin: "code",
      definition: own,
      now: 60 * MINUTE,
      timetable: tableOf(own),
    } as const;
    const after = redefined(before, facts);
    assert.deepEqual([after.next, after.cursor, after.pausedAt, after.problem], [MINUTE, 0, 3, null]);
  });
});

describe("the text of a schedule", () => {
  const full = troubled(
    {
      ...made({
        misfire: { all: { max: 5, within: 7 } },
        input: '{"a":[1]}',
        options: "{}",
        limit: 4,
        startAt: 3,
        endAt: 9,
      }),
      waiting: [1, 2],
      live: ["a"],
      last: { id: "a", scheduledFor: 5 },
      pausedAt: 4,
    },
    "why",
  );

  it("reads back equal", () => {
    for (const schedule of [full, made(), made({ cron: "* * * * *", interval: null })]) {
      assert.deepEqual(decodeSchedule(encodeSchedule(schedule)), schedule);
    }
  });

  it("is refused where it is damaged, with the part", () => {
    const text = encodeSchedule(full);
    const body = JSON.parse(text) as Record<string, unknown>;
    for (const part of Object.keys(body)) {
      const { [part]: _, ...rest } = body;
      assert.throws(() => decodeSchedule(JSON.stringify(rest)), new RegExp(part), part);
      assert.throws(() => decodeSchedule(JSON.stringify({ ...body, [part]: -1.5 })), /damaged|no object/, part);
    }
    for (const part of Object.keys(full.definition)) {
      const broken = { ...body, definition: { ...full.definition, [part]: {} } };
      assert.throws(() => decodeSchedule(JSON.stringify(broken)), /damaged/, part);
    }
    for (const other of ["", "null", "[]", "{", '{"format":2}', "1"]) assert.throws(() => decodeSchedule(other));
    assert.throws(() => decodeSchedule(JSON.stringify({ ...body, format: 2 })), /another version/);
  });

  it("gives equal definitions equal texts, and different ones different texts", () => {
    const { interval, cron, ...rest } = definition();
    assert.equal(encodeDefinition({ ...rest, interval, cron }), encodeDefinition(definition()));
    const parts: Partial<ScheduleDefinition>[] = [
      { jitter: 1 },
      { misfire: "skip" },
      { misfire: { all: { max: 1, within: 2 } } },
      { misfire: { all: { max: 2, within: 2 } } },
      { input: "null" },
      { timezone: "Europe/Berlin" },
      { limit: 1 },
    ];
    const texts = parts.map((part) => encodeDefinition(definition(part)));
    assert.equal(new Set([...texts, encodeDefinition(definition())]).size, parts.length + 1);
  });
});

/** One thing that may happen to a schedule. */
type Event =
  | { readonly kind: "look"; readonly after: number; readonly ended: boolean }
  | { readonly kind: "pause"; readonly after: number }
  | { readonly kind: "resume"; readonly after: number }
  | { readonly kind: "change"; readonly after: number; readonly interval: number };

const PLAIN = { noNullPrototype: true } as const;

const anyDefinition = fc.record({
  interval: fc.constantFrom(1_000, 7_000, MINUTE, 3_600_000),
  misfire: fc.oneof(
    fc.constantFrom<MisfirePolicy>("skip", "latest"),
    fc.record(
      { all: fc.record({ max: fc.integer({ min: 1, max: 20 }), within: fc.integer({ min: 0, max: 1e7 }) }, PLAIN) },
      PLAIN,
    ),
  ),
  overlap: fc.constantFrom<OverlapPolicy>("allow", "skip", "queue-one", "cancel-running"),
  limit: fc.option(fc.integer({ min: 1, max: 30 })),
  startAt: fc.option(fc.integer({ min: 0, max: 1e6 })),
  endAt: fc.option(fc.integer({ min: 1e6, max: 1e8 })),
});

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("look" as const), after: steps(), ended: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant("pause" as const), after: steps() }),
      fc.record({ kind: fc.constant("resume" as const), after: steps() }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      after: steps(),
      interval: fc.constantFrom(1_000, 3_000, MINUTE),
    }),
  },
);

function steps(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 400_000 }));
}

describe("whatever happens to a schedule", () => {
  it("no instant makes two ticks, none comes early or out of bounds, and the count is kept", () => {
    fc.assert(
      fc.property(anyDefinition, fc.array(anyEvent, { minLength: 1, maxLength: 40 }), (parts, events) => {
        let schedule = made(parts);
        let now = 0;
        let live: LiveTick[] = [];
        const seen = new Set<number>();
        for (const event of events) {
          now += event.after;
          const table = tableOf(schedule.definition);
          if (event.kind === "pause") schedule = paused(schedule, now);
          else if (event.kind === "resume") schedule = resumed(schedule, now, table);
          else if (event.kind === "change") {
            const own = { ...schedule.definition, interval: event.interval };
            const facts = { taskName: "t", origin: "code", definition: own, now, timetable: tableOf(own) } as const;
            schedule = redefined(schedule, facts);
          } else {
            live = event.ended ? [] : live.map(({ id }) => ({ id, isPending: false }));
            const before = schedule;
            const decision = at(schedule, now, live);
            if (decision === null) continue;
            const { ticks, cancel } = decision;
            for (const tick of ticks) {
              assert.ok(!seen.has(tick), `${tick} twice`);
              assert.ok(tick <= now, "early");
              assert.ok(before.waiting.includes(tick) || tick > before.cursor, "behind the cursor");
              assert.ok(tick >= (schedule.definition.startAt ?? 0) && tick <= (schedule.definition.endAt ?? 1e15));
              seen.add(tick);
            }
            assert.deepEqual(
              ticks,
              [...ticks].sort((a, b) => a - b),
              "oldest first",
            );
            live = [
              ...live.filter(({ id }) => !cancel.includes(id)),
              ...ticks.map((tick) => ({ id: idOf(tick), isPending: true })),
            ];
            const { overlap } = schedule.definition;
            if (overlap === "skip" || overlap === "cancel-running") assert.ok(live.length <= 1, overlap);
            if (overlap === "queue-one") assert.ok(live.filter(({ isPending }) => isPending).length <= 1, overlap);
            schedule = decision.schedule;
            assert.ok(schedule.next === null || schedule.next > schedule.cursor);
          }
          assert.deepEqual(decodeSchedule(encodeSchedule(schedule)), schedule);
        }
        assert.equal(schedule.count, seen.size);
        assert.ok(seen.size <= (parts.limit ?? Number.POSITIVE_INFINITY));
      }),
      { numRuns: 2_000, seed: 7 },
    );
  });

  it("with `allow` and `all`, a schedule that is looked at often enough loses none", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 50 }), (waits) => {
        let schedule = made({ interval: 1_000, overlap: "allow", misfire: { all: { max: 100, within: 1e9 } } });
        const ticks: number[] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          const decision = at(schedule, now);
          if (decision === null) continue;
          ticks.push(...decision.ticks);
          schedule = decision.schedule;
        }
        const due = Math.floor(now / 1_000);
        assert.deepEqual(
          ticks,
          Array.from({ length: due }, (_, index) => (index + 1) * 1_000),
        );
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});
