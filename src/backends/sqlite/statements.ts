/**
 * Every statement, one per verb, for one namespace (an allow-listed word; all else is bound). `indexed by` pins the
 * plans that matter: statistics of the user's own `analyze` cannot turn a claim into a scan, a missing index is an error.
 */
import { DEADLINE_GRACE } from "../../model/lifecycle.ts";
import { FIXED } from "../sql/columns.ts";
import { COLUMNS, FRESH, SELECTED } from "./rows.ts";

/** How many drafts one statement takes; more are slower, since each value is bound on its own. */
export const INSERTED_TOGETHER = 8;

/** The columns of a draft that the caller chose. */
const DRAFTED =
  "id, task_name, queue, execution, execution_profile, priority, input, policy, timeout, expires_at, metadata, tags, " +
  "description, key, ready_at, origin";
const DRAFTED_COUNT = 16;

/** The columns that differ between drafts of one kind; the rest of `DRAFTED` is shared, or null. */
const ALIKE = "task_name, queue, execution, priority, policy, timeout, ready_at, id, input";

const NAMES: readonly string[] = COLUMNS.map(([name]) => name);

/** The columns that `change` writes, by their places in a row. */
export const CHANGED: readonly number[] = NAMES.map((_, at) => at).filter((at) => !FIXED.includes(NAMES[at] as string));

const PENDING = "state = 0";
const OWNED = "state in (1, 2)";
const TERMINAL = "state >= 3";

type StatementName =
  | "readStore"
  | "writeStore"
  | "insertOne"
  | "insertMany"
  | "insertAlike"
  | "insertWhole"
  | "lastSeq"
  | "lanes"
  | "ready"
  | "readyThen"
  | "nextReady"
  | "claimedBy"
  | "claim"
  | "claimOne"
  | "complete"
  | "change"
  | "replace"
  | "remove"
  | "renew"
  | "exists"
  | "quarantine"
  | "byId"
  | "bySeq"
  | "byKey"
  | "byIds"
  | "lapsed"
  | "expired"
  | "cancelling"
  | "created"
  | "createdBefore"
  | "ended"
  | "endedBefore"
  | "createdBoundary"
  | "createdBoundaryBefore"
  | "endedBoundary"
  | "endedBoundaryBefore"
  | "tallyPending"
  | "tallyPendingOf"
  | "tallyOwned"
  | "tallyFinished"
  | "tallyFinishedOf"
  | "finishedLanes"
  | "finishedBefore"
  | "prune"
  | "hold"
  | "take"
  | "release"
  | "held"
  | "schedulesNamed"
  | "schedulesDue"
  | "schedulesNext"
  | "schedulesAll"
  | "addSchedule"
  | "changeSchedule"
  | "removeSchedule";

/**
 * Later than any time, and than what damage may have put in a time's place: SQLite seeks to the first row that is not
 * before a list of values, so the list must end a lane. `union` ends the walk should it find itself all the same.
 */
const NEVER = "x'ffffffffffffffffffffffff'";

export type Statements = Readonly<Record<StatementName, string>>;

/** The names in one namespace. */
interface Names {
  readonly tasks: string;
  readonly holds: string;
  readonly store: string;
  readonly schedules: string;
  /** Selects whole records. */
  readonly all: string;
  /** Pins an index of the tasks. */
  index(name: string): string;
}

/** The texts of all statements in a namespace. */
export function statements(ns: string): Statements {
  const tasks = `${ns}_tasks`;
  const names: Names = {
    tasks,
    holds: `${ns}_holds`,
    store: `${ns}_store`,
    schedules: `${ns}_schedules`,
    all: `select ${SELECTED}, seq from ${tasks}`,
    index: (name) => `indexed by ${tasks}_${name}`,
  };
  return {
    ...storing(names),
    ...inserting(names),
    ...claiming(names),
    ...changing(names),
    ...finding(names),
    ...counting(names),
    ...holding(names),
    ...paging(names),
    ...scheduling(names),
  };
}

/** The one row of the store itself. */
// biome-ignore format: one statement after the other
function storing({ store }: Names) {
  return {
    // () → clock, work, ended, cancels: the highest time written down, and how many changes of each kind there were
    readStore: `select clock, work, ended, cancels from ${store}`,
    // (time, more work, more endings, more cancels)
    writeStore: `update ${store} set clock = max(clock, ?1), work = work + ?2, ended = ended + ?3, cancels = cancels + ?4`,
  };
}

/** Enqueueing. */
// biome-ignore format: one statement after the other
function inserting({ tasks }: Names) {
  return {
    // (now, the drafted columns) → changes: 0 if id or key are taken
    insertOne: insertion(tasks, DRAFTED, drafted(1)),
    // (now, the drafted columns of 8 drafts) → changes: fewer than 8 if some ids or keys are taken
    insertMany: insertion(tasks, DRAFTED, drafted(INSERTED_TOGETHER)),
    // (now, task, queue, execution, priority, policy, timeout, ready_at, then id and input of 8 drafts that have nothing else) → changes
    insertAlike: insertion(tasks, ALIKE, alike(INSERTED_TOGETHER)),
    // (every column and timeout) → changes
    insertWhole: `insert or ignore into ${tasks} (${SELECTED}, timeout) values (${[...NAMES, "timeout"].map(() => "?").join(", ")})`,
    // () → the largest seq, or null
    lastSeq: `select max(seq) from ${tasks}`,
  };
}

/** Claiming. */
// biome-ignore format: one statement after the other
function claiming({ tasks, all, index }: Names) {
  const lane = "queue = ?1 and task_name = ?2 and execution = ?3 and priority = ?4";
  return {
    // () → queue, task, execution, priority of every kind of pending record: one seek per answer
    lanes: `with recursive lane (seq, queue, task_name, execution, priority) as (
      select * from (select seq, queue, task_name, execution, priority from ${tasks} ${index("claimable")}
        where ${PENDING} order by queue, task_name, execution, priority limit 1)
      union
      select n.seq, n.queue, n.task_name, n.execution, n.priority from lane l cross join ${tasks} n on n.seq = (
        select c.seq from ${tasks} c ${index("claimable")} where c.${PENDING}
          and (c.queue, c.task_name, c.execution, c.priority, c.ready_at)
            > (+l.queue, +l.task_name, +l.execution, +l.priority, ${NEVER})
          order by c.queue, c.task_name, c.execution, c.priority, c.ready_at limit 1))
      select distinct queue, task_name, execution, priority from lane`,
    // (lane, now, after ready_at, limit) → the next ready and unexpired records of the lane
    ready: `select ${FRESH} from ${tasks} ${index("claimable")} where ${PENDING} and ${lane} and ready_at <= ?5 and ready_at > ?6
      and (expires_at is null or expires_at > ?5) order by ready_at, seq limit ?7`,
    // (lane, now, ready_at, after seq, limit) → those that became ready at that very instant
    readyThen: `select ${FRESH} from ${tasks} ${index("claimable")} where ${PENDING} and ${lane} and ready_at = ?6 and seq > ?7
      and (expires_at is null or expires_at > ?5) order by seq limit ?8`,
    // (lane, now) → ready_at, seq of the record of the lane that becomes ready next
    nextReady: `select ready_at, seq from ${tasks} ${index("claimable")} where ${PENDING} and ${lane} and ready_at > ?5
      order by ready_at, seq limit 1`,
    // (token) → the records that the token owns, in the order in which they were claimed
    claimedBy: `${all} ${index("owned")} where ${OWNED} and state = 2 and claim = ?1 order by priority desc, ready_at, seq`,
    // (token, now, lease, worker, seqs as JSON): what lifecycle.claimed does
    claim: taking(tasks, "seq in (select value from json_each(?5))"),
    // the same for one seq
    claimOne: taking(tasks, "seq = ?5"),
  };
}

/** Compare-and-set, leases, and setting damaged rows aside. */
// biome-ignore format: one statement after the other
function changing({ tasks }: Names) {
  return {
    // (version, finished_at, result, id, version before, claim): what lifecycle.completed does → changes
    complete: `update ${tasks} set state = 3, version = ?1, finished_at = ?2, result = ?3, error = null, reason = null, key = null,
      ref = null, lease_until = null where id = ?4 and version = ?5 and claim is ?6`,
    // (the columns of `CHANGED`, id, version before, claim, now if the lease must be over) → changes; a lease stays or goes
    change: replacement(tasks, CHANGED.map((at) => NAMES[at] as string)),
    // (every column and timeout, then as above)
    replace: replacement(tasks, [...NAMES, "timeout"]),
    // (id, version, claim, now if its lease must be over) → changes
    remove: `delete from ${tasks} where id = ?1 and version = ?2 and claim is ?3 and (?4 is null or lease_until < ?4)`,
    // (new end, id, claim) → lease_until, cancel_requested_at, or nothing if it is not owned; what lifecycle.leaseEnd does
    renew: `update ${tasks} set lease_until = min(?1, ifnull(started_at + timeout + ${DEADLINE_GRACE}, ?1))
      where id = ?2 and claim = ?3 and state = 2 returning lease_until, cancel_requested_at`,
    // (id) → seq
    exists: `select seq from ${tasks} where id = ?1`,
    // (finished_at, reason, error, seq): sets a damaged row aside
    quarantine: `update ${tasks} set state = 4, version = version + 1, finished_at = ?1, reason = ?2, error = ?3, key = null,
      ref = null, lease_until = null where seq = ?4`,
  };
}

/** Reading records, seq last. */
// biome-ignore format: one statement after the other
function finding({ tasks, all, index }: Names) {
  return {
    byId: `${all} where id = ?1`,
    bySeq: `${all} where seq = ?1`,
    byKey: `${all} where key = ?1`,
    // (ids as JSON)
    byIds: `${all} where id in (select value from json_each(?1))`,
    // (now, after, limit)
    lapsed: `${all} ${index("owned")} where ${OWNED} and lease_until < ?1 and id > ?2 order by id limit ?3`,
    expired: `${all} where seq in (select seq from ${tasks} ${index("expiring")} where ${PENDING} and expires_at is not null
      and expires_at <= ?1 and id > ?2 order by id limit ?3) order by id`,
    cancelling: `${all} ${index("cancelling")} where ${OWNED} and cancel_requested_at is not null and id > ?1 order by id limit ?2`,
  };
}

/** Pages for people: forward and backward, of all records or of those that ended badly. */
// biome-ignore format: one statement after the other
function paging({ tasks, all, index }: Names) {
  const dead = "state >= 4";
  const filter = `(?3 is null or queue in (select value from json_each(?3))) and (?4 is null or task_name in (select value from json_each(?4)))
      and (?5 is null or state in (select value from json_each(?5)))`;
  return {
    // (after, last id to look at, queues, tasks, states: each as JSON or null, limit)
    created: `${all} ${index("id")} where id > ?1 and id <= ?2 and ${filter} order by id limit ?6`,
    createdBefore: `${all} ${index("id")} where id < ?1 and id >= ?2 and ${filter} order by id desc limit ?6`,
    ended: `${all} ${index("ended")} where ${dead} and id > ?1 and id <= ?2 and ${filter} order by id limit ?6`,
    endedBefore: `${all} ${index("ended")} where ${dead} and id < ?1 and id >= ?2 and ${filter} order by id desc limit ?6`,
    // (after, how many to pass over) → the id behind them
    createdBoundary: `select id from ${tasks} ${index("id")} where id > ?1 order by id limit 1 offset ?2`,
    createdBoundaryBefore: `select id from ${tasks} ${index("id")} where id < ?1 order by id desc limit 1 offset ?2`,
    endedBoundary: `select id from ${tasks} ${index("ended")} where ${dead} and id > ?1 order by id limit 1 offset ?2`,
    endedBoundaryBefore: `select id from ${tasks} ${index("ended")} where ${dead} and id < ?1 order by id desc limit 1 offset ?2`,
  };
}

/** Schedules. */
// biome-ignore format: one statement after the other
function scheduling({ schedules }: Names) {
  const all = `select name, version, due_at, body from ${schedules}`;
  return {
    // (names as JSON)
    schedulesNamed: `${all} where name in (select value from json_each(?1)) order by name`,
    // (now, after, limit)
    schedulesDue: `${all} where name in (select name from ${schedules} indexed by ${schedules}_due where due_at is not null
      and due_at <= ?1 and name > ?2 order by name limit ?3) order by name`,
    schedulesNext: `${all} where due_at is not null order by due_at, name limit 1`,
    // (after, limit)
    schedulesAll: `${all} where name > ?1 order by name limit ?2`,
    // (name, version, due_at, body) → changes: 0 if there is one of that name
    addSchedule: `insert into ${schedules} (name, version, due_at, body) values (?1, ?2, ?3, ?4) on conflict (name) do nothing`,
    // (name, version before, version, due_at, body) → changes
    changeSchedule: `update ${schedules} set version = ?3, due_at = ?4, body = ?5 where name = ?1 and version = ?2`,
    // (name, version) → changes
    removeSchedule: `delete from ${schedules} where name = ?1 and version = ?2`,
  };
}

/** Counts, and what retention removes. */
// biome-ignore format: one statement after the other
function counting({ tasks, index }: Names) {
  const pending = `select queue, sum(ready_at <= ?1), count(*), min(ready_at) from ${tasks} ${index("claimable")} where ${PENDING}`;
  const finished = `select queue, state, count(*) from ${tasks} ${index("finished")} where ${TERMINAL}`;
  return {
    // (now) → queue, ready, all pending, when the first became ready
    tallyPending: `${pending} group by queue`,
    // (now, queue) → the same of one queue
    tallyPendingOf: `${pending} and queue = ?2 group by queue`,
    // () → queue, count
    tallyOwned: `select queue, count(*) from ${tasks} ${index("owned")} where ${OWNED} group by queue`,
    // () → queue, state, count
    tallyFinished: `${finished} group by queue, state`,
    // (queue) → the same of one queue
    tallyFinishedOf: `${finished} and queue = ?1 group by queue, state`,

    // () → queue, state of every kind of finished record: one seek per answer
    finishedLanes: `with recursive lane (seq, queue, state) as (
      select * from (select seq, queue, state from ${tasks} ${index("finished")} where ${TERMINAL} order by queue, state limit 1)
      union
      select n.seq, n.queue, n.state from lane l cross join ${tasks} n on n.seq = (
        select c.seq from ${tasks} c ${index("finished")} where c.${TERMINAL} and (c.queue, c.state, c.finished_at) > (+l.queue, +l.state, ${NEVER})
          order by c.queue, c.state, c.finished_at limit 1))
      select distinct queue, state from lane`,
    // (queue, state, before, limit) → finished_at, id, seq, oldest first
    finishedBefore: `select finished_at, id, seq from ${tasks} ${index("finished")} where ${TERMINAL} and queue = ?1 and state = ?2
      and finished_at < ?3 order by finished_at, id limit ?4`,
    // (seqs as JSON)
    prune: `delete from ${tasks} where seq in (select value from json_each(?1))`,
  };
}

/** Reservations. */
// biome-ignore format: one statement after the other
function holding({ holds }: Names) {
  return {
    // (name) → name, holder, until, note
    hold: `select name, holder, until, note from ${holds} where name = ?1`,
    // (name, holder, until, note)
    take: `insert or replace into ${holds} values (?1, ?2, ?3, ?4)`,
    // (name, holder, now) → changes
    release: `delete from ${holds} where name = ?1 and holder = ?2 and (until is null or until > ?3)`,
    // (prefix, end of the range, now) → name, holder, until, note
    held: `select name, holder, until, note from ${holds} where name >= ?1 and name < ?2 and (until is null or until > ?3)`,
  };
}

function insertion(tasks: string, columns: string, rows: readonly string[]): string {
  return `insert or ignore into ${tasks} (${columns}, created_at, queued_at, state, version, attempt, failures, losses,
    interruptions, snoozes, begun) values ${rows.map((values) => `(${values}, ?1, ?1, 0, 1, 0, 0, 0, 0, 0, 0)`).join(", ")}`;
}

function drafted(rows: number): string[] {
  return Array.from({ length: rows }, (_, row) => parameters(2 + row * DRAFTED_COUNT, DRAFTED_COUNT));
}

function alike(rows: number): string[] {
  return Array.from({ length: rows }, (_, row) => `${parameters(2, 7)}, ${parameters(9 + row * 2, 2)}`);
}

function parameters(from: number, count: number): string {
  return Array.from({ length: count }, (_, at) => `?${from + at}`).join(", ");
}

function taking(tasks: string, which: string): string {
  const startedAt = "max(?2, ifnull(started_at, 0) + 1)";
  return `update ${tasks} set state = 2, version = version + 1, claim = ?1, attempt = attempt + 1, started_at = ${startedAt},
    lease_until = min(?2 + ?3, ifnull(${startedAt} + timeout + ${DEADLINE_GRACE}, ?2 + ?3)), worker_id = ?4 where ${which}`;
}

function replacement(tasks: string, columns: readonly string[]): string {
  const lease = columns.indexOf("lease_until");
  const set = columns.map((name, at) =>
    at === lease
      ? `lease_until = case when ?${at + 1} is null then null else ifnull(lease_until, ?${at + 1}) end`
      : `${name} = ?${at + 1}`,
  );
  const next = columns.length + 1;
  return `update ${tasks} set ${set.join(", ")} where id = ?${next} and version = ?${next + 1} and claim is ?${next + 2}
    and (?${next + 3} is null or lease_until < ?${next + 3})`;
}
