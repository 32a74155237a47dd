/** What a walk stores: drafts of random facts, few of each kind so that they meet. */
import type { Draft, Origin } from "../../../model/record.ts";
import { draftOf } from "../stage.ts";
import type { Walker } from "./walker.ts";

export const TASKS = ["mail.send", "report.build", "index"] as const;
export const QUEUES = ["default", "mail", "Mail"] as const;
const EXECUTIONS = ["local", "local", "threads"] as const;
const ORIGINS: readonly [Origin | null, ...(Origin | null)[]] = [
  null,
  null,
  null,
  { kind: "schedule", schedule: "é💾 '", scheduledFor: 5 },
  { kind: "schedule", schedule: "daily", scheduledFor: 1_800_000_000_000, manual: true },
  { kind: "retry", of: "0192d3a4-b5c6-7000-8000-000000000001" },
];

/** A draft of random facts; its id or key may be taken. */
export function draft(walker: Walker): Draft {
  const { chance, clock } = walker;
  const id = chance.often(0.12) && walker.ids.length > 0 ? (chance.pick(walker.ids) as string) : walker.freshId();
  return draftOf(id, {
    task: chance.pick(TASKS),
    queue: chance.pick(QUEUES),
    execution: chance.pick(EXECUTIONS),
    priority: chance.pick([0, 0, 0, 5, -3, 10]),
    key: chance.often(0.35) ? `key ${chance.below(6)}` : null,
    input: chance.pick([null, "1", '{"text":"é💾\\u0000"}']),
    origin: chance.pick(ORIGINS),
    tags: chance.pick([[], ["a"], ["b", "a"]]),
    policy: { retries: chance.below(3), timeout: chance.pick([null, null, 500, 60_000]) },
    runAt: chance.often(0.2) ? clock.wall() + chance.pick([-5_000, -5, 0, 5, 900]) : null,
    readyIn: chance.pick([0, 0, 0, 1, 50, 1_000, 60_000]),
    expiresIn: chance.often(0.15) ? chance.pick([1, 100, 5_000]) : null,
    expiresAt: chance.often(0.1) ? clock.wall() + chance.pick([-1, 0, 1, 3_000]) : null,
  });
}
