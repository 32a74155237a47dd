/** Ledgers written by hand: a kill, a recovery and a second effect, for tests to bend. */
import { claimed, completed, enqueued, lapsed, stamped } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { type Evidence, judge } from "./check.ts";
import type { Event, EventName } from "./ledger.ts";
import type { Work } from "./load.ts";

export const work: Work = { n: 0, kind: "plain", before: 10, after: 10 };
const policy = {
  ...{ retries: 3, timeout: null, requeueOnShutdown: true },
  backoff: { kind: "fixed", delay: 50, factor: 1, maxDelay: 50, jitter: 0 } as const,
};
const pending: TaskRecord = stamped(
  enqueued({
    ...{ id: "a", taskName: "chaos.work", queue: "default", execution: "local", priority: 0, policy },
    ...{ input: JSON.stringify(work), key: "client-0" },
  }),
  1_000,
);
export const first: TaskRecord = claimed(pending, { now: 1_010, token: "t1", lease: 1_000, workerId: "w1" });
const back = lapsed(first, { now: 2_100, retryIn: 0 });
export const second: TaskRecord = claimed(back, { now: 2_110, token: "t2", lease: 1_000, workerId: "w2" });
export const done = (record: TaskRecord, who: string): TaskRecord =>
  completed(record, { now: 2_200, result: JSON.stringify({ who, attempt: record.attempt, fence: record.startedAt }) });

export type Line = readonly [
  at: number,
  who: string,
  event: EventName,
  record?: TaskRecord | null,
  extra?: readonly string[] | undefined,
];

function events(lines: readonly Line[]): Event[] {
  return lines.map(([at, who, event, record, extra = []]) => ({
    ...{ at, who, event, extra, id: record?.id ?? "" },
    ...{ attempt: record?.attempt ?? 0, fence: record?.startedAt ?? 0 },
  }));
}

const write = (state: string, record: TaskRecord): string[] => [state, String(record.version), record.claim ?? "-"];

const enqueue: Line[] = [
  [0, "p.1", "spawned", null, ["producer"]],
  [1, "p.1", "enq_call", { ...pending, id: "0" }],
  [2, "p.1", "enq_ack", { ...pending, id: "0" }, ["a", "created"]],
];
export const workers: Line[] = [
  [0, "w1.1", "spawned", null, ["worker"]],
  [0, "w2.1", "spawned", null, ["worker"]],
  [3, "w1.1", "ready"],
  [3, "w2.1", "ready"],
];
export const attemptOne: Line[] = [
  [10, "w1.1", "claim_call", null, ["t1"]],
  [11, "w1.1", "claim_ok", first, write("running", first)],
  [12, "w1.1", "start", first, ["plain"]],
  [20, "w1.1", "effect", first],
];
export const killed: Line[] = [
  [25, "w1.1", "killed", null, ["random"]],
  [26, "w1.1", "exited", null, ["SIGKILL"]],
];
export const recovered: Line[] = [
  [1_100, "w2.1", "lapse_call", first, write("pending", back)],
  [1_101, "w2.1", "lapse_applied", first, write("pending", back)],
];
export const attemptTwo: Line[] = [
  [1_110, "w2.1", "claim_call", null, ["t2"]],
  [1_111, "w2.1", "claim_ok", second, write("running", second)],
  [1_112, "w2.1", "start", second, ["plain"]],
  [1_120, "w2.1", "effect", second],
  [1_130, "w2.1", "finish_call", second, write("completed", done(second, "w2.1"))],
  [1_131, "w2.1", "finish_applied", second, write("completed", done(second, "w2.1"))],
];
export const dismissed: Line[] = ["p.1", "w2.1"].flatMap((who): Line[] => [
  [1_200, who, "termed"],
  [1_201, who, "term_seen"],
  [1_210, who, "exited", null, ["0"]],
]);
/** A worker is killed, another takes its record back and runs it: all is well. */
export const quiet: readonly Line[] = [
  ...enqueue,
  ...workers,
  ...attemptOne,
  ...killed,
  ...recovered,
  ...attemptTwo,
  ...dismissed,
];

/** The checks that these lines turn red. */
export function red(lines: readonly Line[], own: Partial<Evidence> = {}): string[] {
  const evidence: Evidence = {
    ...{ events: events([...lines].sort((a, b) => a[0] - b[0])), records: [done(second, "w2.1")], load: [work] },
    ...{
      lease: 1_000,
      heartbeat: 333,
      reapEvery: 166,
      poll: 50,
      unsound: [],
      stuck: null,
      writesOverlap: false,
      ...own,
    },
  };
  return judge(evidence).checks.flatMap(({ id, violations }) => (violations.length > 0 ? [id] : []));
}

/** The quiet story without some of its parts. */
export const without = (...left: Line[][]): Line[] =>
  quiet.filter((line) => !left.some((group) => group.includes(line)));
