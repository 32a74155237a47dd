/** The steps of a walk: every operation of the contract, with random facts. */
import type { Change, ClaimRequest } from "../../../contracts/queue-backend.ts";
import { expired, lapsed, revived } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { ids } from "../stage.ts";
import { decide } from "./decisions.ts";
import { draft, QUEUES, TASKS } from "./drafts.ts";
import { advance, lookAtSchedules } from "./schedule-steps.ts";
import type { Step, Walker } from "./walker.ts";

const LEASES = [10, 1_000, 30_000, 600_000] as const;
const LIMITS = [1, 2, 5, 50] as const;

const brief = (records: readonly TaskRecord[]): string =>
  records.map(({ id, state, version }) => `${id.slice(-12)} ${state} v${version}`).join(", ");

const insert: Step = async (walker) => {
  const drafts = Array.from({ length: 1 + walker.chance.below(5) }, () => draft(walker));
  const what = `insert ${drafts.map(({ record }) => `${record.id.slice(-12)} ${record.key ?? ""}`).join(", ")}`;
  const insertions = await walker.ask(what, (store) => store.insert(drafts));
  walker.remember(insertions.map(({ record }) => record));
};

function request(walker: Walker): ClaimRequest {
  const { chance } = walker;
  const limited = chance.some(QUEUES, chance.pick([0, 0, 1, 2]));
  const fresh: ClaimRequest = {
    token: chance.token(),
    workerId: `worker-${chance.below(3)}`,
    limit: chance.pick(LIMITS),
    lease: chance.pick(LEASES),
    tasks: chance.often(0.6) ? TASKS : chance.some(TASKS, chance.below(3)),
    queues: chance.often(0.6) ? null : chance.some(QUEUES, chance.below(3)),
    queueLimits: Object.fromEntries(limited.map((queue) => [queue, chance.below(4)])),
    executions: chance.often(0.7) ? ["local", "threads"] : ["local"],
  };
  return chance.often(0.2) ? (chance.pick(walker.requests) ?? fresh) : fresh;
}

const claim: Step = async (walker) => {
  const sent = request(walker);
  if (!walker.requests.includes(sent)) walker.requests.push(sent);
  walker.remember(await walker.ask(`claim ${JSON.stringify(sent)}`, (store) => store.claim(sent)));
};

const decisions: Step = async (walker) => {
  const { chance } = walker;
  const now = await walker.now();
  const records = await walker.seen(1 + chance.below(6));
  if (chance.often(0.1)) records.push(...records.slice(0, 1));
  const names: string[] = [];
  const changes = records.map((from): Change => {
    const { verb, to } = decide(from, now, chance);
    const lapses = verb === "lapse" || chance.often(0.04);
    names.push(`${verb}${lapses ? " if lapsed" : ""} ${brief([from])}`);
    return { from, to, ...(lapses ? { lapsed: true } : {}) };
  });
  await walker.ask(`apply ${names.join(", ")}`, (store) => store.apply(changes));
};

const reap: Step = async (walker) => {
  const limit = walker.chance.pick(LIMITS);
  const records = await walker.ask(`lapsed ${limit}`, (store) => store.find({ by: "lapsed", after: null, limit }));
  const now = await walker.now();
  const changes = records.map((from): Change => ({ from, to: lapsed(from, { now, retryIn: 7 }), lapsed: true }));
  await walker.ask(`reap ${brief(records)}`, (store) => store.apply(changes));
};

const expire: Step = async (walker) => {
  const limit = walker.chance.pick(LIMITS);
  const records = await walker.ask(`expired ${limit}`, (store) => store.find({ by: "expired", after: null, limit }));
  const now = await walker.now();
  const changes = records.map((from): Change => ({ from, to: expired(from, { now }) }));
  await walker.ask(`expire ${brief(records)}`, (store) => store.apply(changes));
};

const renew: Step = async (walker) => {
  const records = await walker.seen(1 + walker.chance.below(6), ({ claim: token }) => token !== null);
  const refs = records.map(({ id, claim: token }) => ({ id, claim: token ?? "" }));
  const lease = walker.chance.pick(LEASES);
  await walker.ask(`renew ${lease} ${brief(records)}`, (store) => store.renew(refs, lease));
};

const revive: Step = async (walker) => {
  const records = await walker.seen(
    1 + walker.chance.below(3),
    ({ state }) => state === "failed" || state === "cancelled",
  );
  const now = await walker.now();
  const changes = [...records, ...records.slice(0, 1)].map((from): Change => ({ from, to: revived(from, { now }) }));
  await walker.ask(`revive ${brief(records)}`, (store) => store.apply(changes));
};

const prune: Step = async (walker) => {
  const states = walker.chance.some(["completed", "failed", "cancelled"] as const, walker.chance.pick([3, 3, 2, 1, 0]));
  const wanted: readonly string[] = states;
  const before = (await walker.now()) - walker.chance.pick([0, 500, 40_000]);
  const over = (await walker.current())
    .filter(({ state, finishedAt }) => wanted.includes(state) && (finishedAt ?? before) < before)
    .map(({ finishedAt }) => finishedAt)
    .sort((a, b) => (a ?? 0) - (b ?? 0));
  // Which of those that finished in the same millisecond goes first is left open: the cut is made between milliseconds.
  let limit = 1 + walker.chance.below(over.length + 1);
  while (limit < over.length && over[limit] === over[limit - 1]) limit += 1;
  await walker.ask(`prune ${states} ${before} ${limit}`, (store) => store.prune({ states, before, limit }));
};

const reserve: Step = async (walker) => {
  const { chance } = walker;
  const name = chance.pick(["leader", "lead_er", "lead%"]);
  const holder = chance.pick(["a", "b"]);
  const lease = chance.pick([null, ...LEASES]);
  const note = chance.pick([null, "1"]);
  await walker.ask(`hold ${name} ${holder} ${lease}`, (store) => store.hold(name, holder, { lease, note }));
  if (chance.often(0.5)) await walker.ask(`release ${name} a`, (store) => store.release(name, "a"));
  const prefix = chance.pick(["lead%", "lead", "lead_"]);
  await walker.ask(`held ${prefix}`, (store) => store.held(prefix));
};

const look: Step = async (walker) => {
  const { chance } = walker;
  const limit = chance.pick(LIMITS);
  const after = chance.often(0.3) ? (chance.pick(walker.ids) ?? null) : null;
  const some = [...new Set(chance.some(walker.ids, 5))];
  const queues = chance.often(0.5) ? null : chance.some(QUEUES, chance.below(3));
  const byId = (records: readonly TaskRecord[]): unknown => records.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  await walker.ask("by id", (store) => store.find({ by: "id", ids: some }), byId);
  const key = `key ${chance.below(6)}`;
  await walker.ask(key, (store) => store.find({ by: "key", key }));
  await walker.ask(`cancelling ${limit}`, (store) => store.find({ by: "cancelling", after, limit }));
  const when = (records: readonly TaskRecord[]): unknown => records.map(({ readyAt }) => readyAt);
  await walker.ask(`next ${queues}`, (store) => store.find({ by: "next", queues }), when);
  await walker.ask(`tally ${queues}`, (store) => store.tally(queues ?? undefined));
};

const page: Step = async (walker) => {
  const { chance } = walker;
  const states = chance.pick([
    ["failed", "cancelled"],
    ["cancelled"],
    chance.some(["pending", "running", "failed", "cancelled", "completed"] as const, 2),
  ] as const);
  const query = {
    order: chance.pick(["oldest", "newest"] as const),
    after: chance.often(0.4) ? (chance.pick(walker.ids) ?? null) : null,
    limit: chance.pick(LIMITS),
    ...(chance.often(0.4) && { queues: chance.some(QUEUES, chance.below(3)) }),
    ...(chance.often(0.3) && { tasks: chance.some(TASKS, 1 + chance.below(2)) }),
    ...(chance.often(0.5) && { states }),
  };
  await walker.ask(`page ${JSON.stringify(query)}`, (store) => store.page(query));
};

const lookAgain: Step = async (walker) => {
  const records = await walker.seen(5);
  const found = await walker.ask(
    `seen ${brief(records)}`,
    (store) => store.find({ by: "id", ids: [...new Set(ids(records))] }),
    (all) => all.length,
  );
  walker.remember(found);
};

const wait: Step = async (walker) => {
  walker.clock.advance(walker.chance.pick([1, 1, 5, 50, 999, 1_000, 1_001, 30_000, 70_000]));
  await walker.ask("now", (store) => store.now());
};

/** Every step, as often as it should come up. */
export const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [14, insert],
  [14, claim],
  [24, decisions],
  [6, reap],
  [4, expire],
  [7, renew],
  [2, revive],
  [3, prune],
  [5, advance],
  [4, lookAtSchedules],
  [4, reserve],
  [6, look],
  [5, page],
  [2, lookAgain],
  [12, wait],
];
