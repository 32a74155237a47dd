/** Bugs in what people look at, in what retention removes, and in what a record says of its past. */
import { bug, type PlantedBug, STORE } from "./bug.ts";

export const paging: readonly PlantedBug[] = [
  bug("downward, the page begins with the last row again", STORE, "r.id !== after &&", ""),
  bug("downward, the page goes on above the cursor", STORE, "(r.id > after ? 1 : -1) * direction > 0", "r.id > after"),
  bug("the cursor is ignored", STORE, "after === null || (r.id > after", "true || (r.id > after"),
  bug("the newest are not first", STORE, "? -direction : direction", "? -1 : 1"),
  bug(
    "a full page leaves its first row out",
    STORE,
    "return { records, next:",
    "return { records: records.length < limit ? records : records.slice(1), next:",
  ),
  bug("the page goes on behind its first row", STORE, "(records.at(-1)?.id ?? null)", "(records[0]?.id ?? null)"),
  bug(
    "a full page says that nothing is left",
    STORE,
    "records.length < limit ? null",
    "records.length <= limit ? null",
  ),
  bug("a short page says that something is left", STORE, "records.length < limit ? null : ", ""),
  bug("no queues means all queues, on a page", STORE, "(queues === undefined ||", "(!queues?.length ||"),
  bug("no states means all states, on a page", STORE, "states === undefined ||", "!states?.length ||", "it names some"),
  bug("the page ignores the tasks", STORE, "tasks === undefined || tasks.includes(r.taskName)", "true"),
  bug(
    "the page takes one state for the other bad end",
    STORE,
    "states.includes(r.state)",
    "states.includes(r.state) || (states.includes('failed') && r.state === 'cancelled')",
  ),
  bug(
    "a queue's name is a prefix, on a page",
    STORE,
    "queues.includes(r.queue)",
    "queues.some((queue) => r.queue.startsWith(queue))",
    "none of its names begins with another",
  ),
  bug(
    "only so many rows are looked at for a page",
    STORE,
    "const records = this.#all(this.#slots.keys())",
    "const records = this.#all(this.#slots.keys()).sort((a, b) => (a.id < b.id ? -direction : direction)).slice(0, 10_000)",
    "it has no 10,000 rows",
  ),
  bug("retention ignores the states", STORE, "wanted.includes(record.state)", "isTerminal(record)"),
  bug(
    "retention takes no states for all",
    STORE,
    "wanted.includes(record.state)",
    "(wanted.length === 0 ? isTerminal(record) : wanted.includes(record.state))",
  ),
  bug("retention takes the first that comes", STORE, "(a.finishedAt ?? 0) - (b.finishedAt ?? 0) ||", ""),
];

export const lineage: readonly PlantedBug[] = [
  bug("the origin is lost on the way in", STORE, "stamped(draft, now)", "{ ...stamped(draft, now), origin: null }"),
  bug(
    "the origin is kept without its details",
    STORE,
    "stamped(draft, now)",
    "((r) => ({ ...r, origin: r.origin && { kind: r.origin.kind, schedule: r.origin.schedule } }))(stamped(draft, now))",
  ),
  bug(
    "the origin is lost with the claim",
    STORE,
    "const next = claimed(slot.record, {",
    "const next = claimed({ ...slot.record, origin: null }, {",
  ),
  bug(
    "the origin is lost with a write",
    STORE,
    "to.leaseUntil === null ? to :",
    "to.leaseUntil === null ? { ...to, origin: null } :",
  ),
  bug(
    "a write keeps the origin that was stored",
    STORE,
    "to.leaseUntil === null ? to :",
    "to.leaseUntil === null ? { ...to, origin: current.origin } :",
    "its verbs do not touch it",
  ),
  bug(
    "returns are not counted",
    STORE,
    "to.leaseUntil === null ? to :",
    "to.leaseUntil === null ? { ...to, revivals: current.revivals } :",
  ),
  bug(
    "returns are forgotten with the claim",
    STORE,
    "const next = claimed(slot.record, {",
    "const next = claimed({ ...slot.record, revivals: 0 }, {",
  ),
  bug(
    "returns are forgotten at the end",
    STORE,
    "to.leaseUntil === null ? to :",
    "to.leaseUntil === null ? { ...to, revivals: to.state === 'completed' ? 0 : to.revivals } :",
  ),
];
