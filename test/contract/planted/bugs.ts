/**
 * One-line bugs, most of them seen in well-known queues, as edits of the compiled memory store. The contract suite must
 * turn red for each; a suite that cannot fail proves nothing.
 */

import { bug, CLOCK, LIFECYCLE, type PlantedBug, READY, STORE } from "./bug.ts";
import { lineage, paging } from "./record-bugs.ts";
import { scheduling } from "./schedule-bugs.ts";

const GUARD = "current.version !== from.version || current.claim !== from.claim";

const ownership: readonly PlantedBug[] = [
  bug(
    "finish without the claim's token",
    STORE,
    ` || current.claim !== from.claim`,
    "",
    "the snapshots of one version have the same claim, nearly always",
  ),
  bug("finish guarded by the state only", STORE, GUARD, "current.state !== from.state"),
  bug("finish guarded by the claim only", STORE, `current.version !== from.version || `, ""),
  bug("finish not guarded at all", STORE, GUARD, "false"),
  bug(
    "finish on a missing record makes it again",
    STORE,
    "const slot = this.#slots.get(from.id);",
    "const slot = this.#slots.get(from.id) ?? { record: from, place: 0, gone: false };",
  ),
  bug("reaper reads and then writes: no lease in the guard", STORE, "if (lapsed && ", "if (false && "),
  bug("reaper comes a millisecond early", STORE, "current.leaseUntil < now)", "current.leaseUntil <= now)"),
  bug("the worker's name is the token", STORE, "token: request.token", "token: request.workerId"),
  bug("the attempt's number is the token", STORE, "token: request.token", "token: String(slot.record.attempt + 1)"),
  bug("a claim sent again claims again", STORE, "if (again.length > 0)", "if (false)"),
  bug("renewal without the claim's token", STORE, "record.claim !== claim || ", ""),
  bug("renewal of a record that does not run", STORE, ` || record.state !== "running"`, ""),
  bug("renewal beyond the attempt's hard end", STORE, "leaseEnd(record, now, lease)", "now + lease"),
  bug("a finish undoes the renewals since", STORE, "current.leaseUntil ?? to.leaseUntil", "to.leaseUntil"),
  bug("claim beyond the attempt's hard end", LIFECYCLE, "Math.min(now + lease, ", "Math.max(now + lease, "),
  bug(
    "startedAt stands still within a millisecond",
    LIFECYCLE,
    "Math.max(facts.now, (record.startedAt ?? 0) + 1)",
    "facts.now",
  ),
];

const races: readonly PlantedBug[] = [
  {
    what: "uniqueness by looking first and writing later",
    file: STORE,
    edits: [
      [
        "async insert(drafts) {",
        "async insert(drafts) { const seen = new Map(this.#keys); await undefined; this.seen = seen;",
      ],
      [`this.#keys.get(key) ?? ""`, `(this.seen ?? this.#keys).get(key) ?? ""`],
      ["this.#slots.set(id, slot);", "this.#slots.set(id, slot); if (key !== null) this.seen?.set(key, id);"],
    ],
    walkBlind: "it takes two callers at once",
  },
  {
    what: "claim by looking first and writing later",
    file: STORE,
    edits: [
      [
        "return this.#ready.take(request, now).map((slot) => {",
        `const found = this.#ready.take(request, now);
         for (const slot of found) this.#ready.add(slot);
         await undefined;
         return found.map((slot) => {`,
      ],
    ],
    walkBlind: "it takes two callers at once",
  },
  {
    what: "finish by looking first and writing later",
    file: STORE,
    edits: [
      [
        "async apply(changes) {",
        "async apply(changes) { const seen = new Map([...this.#slots].map(([id, { record }]) => [id, record])); await undefined;",
      ],
      ["const current = slot.record;", "const current = seen.get(from.id);"],
      ["if (isTerminal(to))", "seen.set(to.id, to); if (isTerminal(to))"],
    ],
    walkBlind: "it takes two callers at once",
  },
];

const selection: readonly PlantedBug[] = [
  bug("priority ignored", READY, "group.priority > best.priority", "false"),
  bug("smaller priority first", READY, "group.priority > best.priority", "group.priority < best.priority"),
  bug(
    "order of arrival instead of readiness",
    READY,
    "a.readyAt < b.readyAt || (a.readyAt === b.readyAt && a.place < b.place)",
    "a.place < b.place",
  ),
  bug(
    "order of ids instead of arrival",
    READY,
    "a.readyAt === b.readyAt && a.place < b.place",
    "a.readyAt === b.readyAt && a.slot.record.id < b.slot.record.id",
  ),
  bug(
    "claimed before it is ready",
    READY,
    "if (top === undefined || top.readyAt > now)",
    "if (top === undefined || top.readyAt > now + 1)",
  ),
  bug("claimed after it expired", READY, "record.expiresAt !== null && record.expiresAt <= now", "false"),
  bug("claimed in the millisecond in which it expires", READY, "record.expiresAt <= now", "record.expiresAt < now"),
  bug("queue limits ignored", READY, "left.set(group.queue, limit - 1)", "left.set(group.queue, limit)"),
  bug(
    "a queue limit of 0 means no limit",
    READY,
    "(left.get(group.queue) ?? 1) <= 0",
    "(left.get(group.queue) || 1) <= 0",
  ),
  bug(
    "a full queue hides the queues behind it",
    READY,
    "<= 0)\n                continue;",
    "<= 0)\n                break;",
  ),
  bug(
    "only so many rows are looked at",
    READY,
    "while (taken.length < request.limit) {",
    "for (let n = 0; n < 900 && taken.length < request.limit; n += 1) {",
    "it has no 900 rows",
  ),
  bug(
    "an unready record hides those behind it",
    READY,
    "top.readyAt > now)\n                continue;",
    "top.readyAt > now)\n                break;",
  ),
  bug("tasks the worker does not know are claimed", READY, "request.tasks.includes(group.taskName)", "true"),
  bug("executions of others are claimed", READY, "request.executions.includes(group.execution)", "true"),
  bug("no queues means all queues", READY, "request.queues === null", "!request.queues?.length"),
  bug("a removed record's place in line is kept", READY, "!slot.gone && ", ""),
];

const keeping: readonly PlantedBug[] = [
  bug("an equal id is overwritten", STORE, "if (same !== undefined)", "if (false)"),
  bug("the key is looked at before the id", STORE, "const same = ", "const same = this.#keys.has(key) ? undefined : "),
  bug("keys are not unique", STORE, "if (holder !== undefined)", "if (false)"),
  bug("the key is not freed at the end", STORE, "old.key !== null && old.key !== key", "false"),
  bug("times stamped by the producer", STORE, "stamped(draft, now)", "stamped(draft, draft.record.createdAt)"),
  bug(
    "a deadline counts from the insert",
    LIFECYCLE,
    "Math.max(readyAt, now) + draft.expiresIn",
    "now + draft.expiresIn",
  ),
  bug(
    "answers in order of id",
    STORE,
    "const applied = changes.map(",
    "const applied = changes.toSorted((a, b) => (a.from.id < b.from.id ? -1 : 1)).map(",
  ),
  bug(
    "the newest go first at retention",
    STORE,
    "(a.finishedAt ?? 0) - (b.finishedAt ?? 0)",
    "(b.finishedAt ?? 0) - (a.finishedAt ?? 0)",
  ),
  bug(
    "retention takes the limit itself, too",
    STORE,
    "(record.finishedAt ?? before) < before",
    "(record.finishedAt ?? Infinity) <= before",
  ),
  bug("null keeps the record", STORE, "this.#drop(slot);", ""),
];

const looking: readonly PlantedBug[] = [
  bug(
    "one page of rows that stay hides the rest",
    STORE,
    "< now), query.after,",
    "< now), null,",
    "few of its leases are over at once and never more than a page",
  ),
  bug("pages without an end", STORE, "? -1 : 1))\n        .slice(0, limit)", "? -1 : 1))"),
  bug("pages begin with the last row again", STORE, "record.id > after", "record.id >= after"),
  bug("what waits for its time counts as pending", STORE, "statusOf(record, now)", "statusOf(record, Infinity)"),
  bug(
    "the youngest ready record is called the oldest",
    STORE,
    "Math.min(tally.oldestReadyAt",
    "Math.max(tally.oldestReadyAt",
  ),
  bug("a reservation can be taken from its holder", STORE, "current.holder !== holder && !isOver", "false && !isOver"),
  bug("a reservation never ends", STORE, "hold.until !== null && hold.until <= now", "false"),
  bug("a reservation can be given back by anybody", STORE, "current?.holder !== holder", "current === undefined"),
  bug(
    "a prefix in which case does not matter",
    STORE,
    "hold.name.startsWith(prefix)",
    "hold.name.toLowerCase().startsWith(prefix.toLowerCase())",
    "its names are in lower case",
  ),
  bug(
    "a prefix in which _ stands for any character",
    STORE,
    "hold.name.startsWith(prefix)",
    `[...prefix].every((c, n) => c === "_" || hold.name[n] === c)`,
  ),
  bug("no hint when a record ends", STORE, "if (outcomes.length > 0)", "if (false)", "hints are no answers"),
  bug(
    "no hint when work returns",
    STORE,
    `to.state === "pending" && to.readyAt <= now`,
    "false",
    "hints are no answers",
  ),
  bug("a subscription does not end", STORE, "this.#listeners.delete(listener);", "", "hints are no answers"),
  bug("a closed store answers", STORE, "if (!this.#open)", "if (false)", "it does not close"),
  bug(
    "the clock follows the host backwards",
    CLOCK,
    "Math.max(host, crept, mark)",
    "host",
    "its clock is not set back",
  ),
  bug(
    "the clock stands still after the host's was set back",
    CLOCK,
    "Math.max(host, crept, mark)",
    "Math.max(host, last.now, mark)",
    "its clock is not set back",
  ),
  bug(
    "the clock stands still if read often",
    CLOCK,
    "mono - Math.max(0, crept - now) * 2",
    "mono",
    "its clock is not set back",
  ),
];

export const plantedBugs: readonly PlantedBug[] = [
  ...ownership,
  ...races,
  ...selection,
  ...keeping,
  ...looking,
  ...paging,
  ...lineage,
  ...scheduling,
];
