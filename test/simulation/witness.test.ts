/** The witness can fail: it is content with honest answers about schedules and revivals, and turns red for each lie. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { memory } from "../../src/backends/memory/index.ts";
import type { QueueBackend, ScheduleChange, ScheduleRow } from "../../src/contracts/queue-backend.ts";
import { cancelled, claimed, completed, revived, stamped } from "../../src/model/lifecycle.ts";
import type { Draft, TaskRecord } from "../../src/model/record.ts";
import { ManualClock } from "../../src/testing/backend-contract/index.ts";
import { draftOf, idOf, rowOf, schedulesOf } from "../../src/testing/backend-contract/stage.ts";
import { Journal } from "./journal.ts";
import { Witness } from "./witness.ts";

const NOW = 1_000;
const next = (row: ScheduleRow, version = row.version + 1): ScheduleRow => ({ ...row, version });
const tick = (n: number, key: string | null = null): Draft => draftOf(idOf(n), { key });
const stored = (n: number): TaskRecord => stamped(tick(n), NOW);

interface Scene {
  readonly witness: Witness;
  readonly broken: () => string[];
  /** Tells the witness that the store accepted this. */
  readonly accepted: (...changes: ScheduleChange[]) => void;
  readonly changed: (from: TaskRecord, to: TaskRecord) => void;
}

function scene(): Scene {
  const journal = new Journal(() => 0);
  const witness = new Witness(journal);
  return {
    witness,
    broken: () => journal.violations.map(({ invariant }) => invariant),
    accepted: (...changes) => witness.advanced("worker1", changes, Array(changes.length).fill(true), NOW),
    changed: (from, to) => witness.applied("worker1", [{ from, to }], [true], NOW),
  };
}

function taken(witness: Witness, record: TaskRecord, now = NOW): TaskRecord {
  const request = {
    token: "t",
    workerId: "w",
    limit: 9,
    lease: 9,
    tasks: [],
    queues: null,
    queueLimits: {},
    executions: [],
  };
  const claim = claimed(record, { now, token: "t", lease: 9, workerId: "w" });
  witness.claimed("worker1", request, [claim], now);
  return claim;
}

it("honest steps, ticks, removals and returns leave nothing to say", async () => {
  const { witness, broken, changed } = scene();
  const store: QueueBackend = memory({ clock: new ManualClock() });
  await store.open();
  const [first, anew] = [rowOf("daily"), rowOf("daily", { version: 4 })];
  const steps: ScheduleChange[] = [
    { from: null, to: first, ticks: [tick(1)] },
    { from: first, to: next(first), ticks: [tick(1), tick(2, "k"), tick(3, "k")] },
    { from: first, to: next(first), ticks: [tick(4)] },
    { from: next(first), to: null, ticks: [] },
    { from: null, to: anew, ticks: [tick(5)] },
  ];
  const now = await store.now();
  for (const step of steps) witness.advanced("worker1", [step], await store.advance([step]), now);
  const { records } = await store.page({ order: "oldest", after: null, limit: 10 });
  assert.deepEqual(
    records,
    [...witness.lives.values()].map(({ record }) => record),
  );
  witness.schedules.compare(await schedulesOf(store));
  const claim = taken(witness, records[0] as TaskRecord, now);
  const over = cancelled(claim, { now, reason: null, by: "acknowledge" });
  changed(claim, over);
  const explained = witness.lives.get(over.id)?.returns ?? 0;
  changed(over, revived(over, { now }));
  assert.deepEqual(broken(), []);
  assert.equal(witness.lives.get(over.id)?.returns, explained + 1, "a return explains a further start");
});

const lies: Readonly<Record<string, readonly [invariant: string, lie: (scene: Scene) => void]>> = {
  "a step from an old version": [
    "I5",
    ({ accepted }) => {
      const row = rowOf("daily");
      accepted({ from: null, to: row, ticks: [] }, { from: row, to: next(row), ticks: [] });
      accepted({ from: row, to: next(row, 3), ticks: [] });
    },
  ],
  "made although it was there": [
    "I5",
    ({ accepted }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [] }, { from: null, to: next(rowOf("daily")), ticks: [] });
    },
  ],
  "a step of what is not there": [
    "I5",
    ({ accepted }) => accepted({ from: rowOf("a"), to: next(rowOf("a")), ticks: [] }),
  ],
  "a version that does not grow": [
    "I3",
    ({ accepted }) => {
      const row = rowOf("daily");
      accepted({ from: null, to: row, ticks: [] }, { from: row, to: row, ticks: [] });
    },
  ],
  "made anew below its predecessor": [
    "I3",
    ({ accepted }) => {
      const row = rowOf("daily", { version: 5 });
      accepted({ from: null, to: row, ticks: [] }, { from: row, to: null, ticks: [] });
      accepted({ from: null, to: rowOf("daily", { version: 5 }), ticks: [] });
    },
  ],
  "from nothing to nothing": ["I13", ({ accepted }) => accepted({ from: null, to: null, ticks: [] })],
  "another version is stored": [
    "I6",
    ({ witness, accepted }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [] });
      witness.schedules.compare([next(rowOf("daily"))]);
    },
  ],
  "a removed one is stored": ["I13", ({ witness }) => witness.schedules.compare([rowOf("daily")])],
  "a tick is claimed that was passed over": [
    "I13",
    ({ witness, accepted }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [tick(1, "k"), tick(2, "k")] });
      taken(witness, stored(2));
    },
  ],
  "a completed record comes back": [
    "I2",
    ({ witness, accepted, changed }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [tick(1)] });
      const claim = taken(witness, stored(1));
      const over = completed(claim, { now: NOW, result: null });
      changed(claim, over);
      changed(over, { ...claim, state: "pending", version: over.version + 1, revivals: 1 });
    },
  ],
  "a return that is not counted": [
    "I2",
    ({ witness, accepted, changed }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [tick(1)] });
      const claim = taken(witness, stored(1));
      const over = cancelled(claim, { now: NOW, reason: null, by: "acknowledge" });
      changed(claim, over);
      changed(over, { ...revived(over, { now: NOW }), revivals: 0 });
    },
  ],
  "retention removes what has not ended": [
    "I1",
    ({ witness, accepted }) => {
      accepted({ from: null, to: rowOf("daily"), ticks: [tick(1)] });
      witness.pruned([idOf(1)]);
    },
  ],
};

for (const [what, [invariant, lie]] of Object.entries(lies)) {
  it(`red: ${what}`, () => {
    const stage = scene();
    lie(stage);
    assert.ok(stage.broken().includes(invariant), `${invariant} in ${stage.broken().join()}`);
  });
}
