/** The statements that change records: guarded moves between live and done, changes in place, removals, renewals. */
import { DEADLINE_GRACE } from "../../model/lifecycle.ts";
import { FIXED } from "../sql/columns.ts";
import { NAMES } from "../sql/text-rows.ts";
import type { Names } from "./names.ts";
import { listed } from "./sheet.ts";

/**
 * Where a record lies and where it goes. In place: `change` (the request stays), `replace` (everything), and `rewrite`
 * among the ended. `complete`: the common ending, which writes little; `end`: any other. `revive`: back among the live.
 * `remove` and `forget`: gone, from among the live or the ended.
 */
export type ChangeKind = "change" | "replace" | "complete" | "end" | "rewrite" | "revive" | "remove" | "forget";

const CHANGED: readonly string[] = NAMES.filter((name) => !FIXED.includes(name));

/** The columns of the next record that each kind writes. `complete`: all else stays as stored, or is emptied. */
export const WRITTEN: Readonly<Record<ChangeKind, readonly string[]>> = {
  change: CHANGED,
  replace: NAMES,
  complete: ["version", "finished_at", "result"],
  end: NAMES,
  rewrite: NAMES,
  revive: NAMES,
  remove: [],
  forget: [],
};

const HELD = "t.id = u.id and t.version = u.was and t.claim is not distinct from u.by";
const OVER = "(u.lapsed = 0 or t.lease_until < k.now)";
const LEASE =
  "lease_until = case when u.to_lease_until is null then null else coalesce(t.lease_until, u.to_lease_until) end";

/** Parameters: the time that has been, how many rows, then the CTE's. Answers: the time; null if all held, else the ids that did. */
export function changing(names: Names, kind: ChangeKind, cte: string): string {
  return `with k as materialized (select ${names.now} as now),
    ${cte},
    ${statementOf(names, kind)}
    select (select now::text from k) as now, (select case when count(*) = $2::text::integer then null else coalesce(json_agg(w.id)::text, '[]') end from w) as held`;
}

function statementOf({ live, done }: Names, kind: ChangeKind): string {
  const all = NAMES.join(", ");
  const next = NAMES.map((name) => `u.to_${name} as ${name}`).join(", ");
  switch (kind) {
    case "complete":
      return `w as (delete from ${live} t using u where ${HELD} returning ${completedColumns()}, t.seq),
    i as (insert into ${done} (${all}, seq) select ${all}, seq from w)`;
    case "end":
      return `w as (delete from ${live} t using u, k where ${HELD} and ${OVER} returning ${next}, t.seq),
    i as (insert into ${done} (${all}, seq) select ${all}, seq from w)`;
    case "revive":
      return `w as (delete from ${done} t using u, k where ${HELD} and ${OVER} returning ${next}, t.seq, u.to_timeout as timeout),
    i as (insert into ${live} (${all}, seq, timeout) select ${all}, seq, timeout from w)`;
    case "remove":
    case "forget":
      return `w as (delete from ${kind === "remove" ? live : done} t using u, k where ${HELD} and ${OVER} returning t.id)`;
    default: {
      const set = WRITTEN[kind].map((name) => (name === "lease_until" ? LEASE : `${name} = u.to_${name}`));
      if (kind === "replace") set.push("timeout = u.to_timeout");
      const table = kind === "rewrite" ? done : live;
      return `w as (update ${table} t set ${set.join(", ")} from u, k where ${HELD} and ${OVER} returning t.id)`;
    }
  }
}

/** A completed record's columns, of the live row and what `complete` writes. */
function completedColumns(): string {
  const fresh: Readonly<Record<string, string>> = {
    state: "3 as state",
    version: "u.to_version as version",
    finished_at: "u.to_finished_at as finished_at",
    result: "u.to_result as result",
    error: "null::text as error",
    reason: "null::text as reason",
    key: "null::text as key",
    ref: "null::text as ref",
    lease_until: "null::bigint as lease_until",
  };
  return NAMES.map((name) => fresh[name] ?? `t.${name}`).join(", ");
}

/** Parameters: the time that has been, the lease, then the CTE's. Answers for each that is held: the time, id and claim, the new end, whether a cancel was requested. */
export function renewing({ live, now }: Names, cte: string): string {
  const end = "k.now + $2::text::bigint";
  // Compared so that no index is used for it: many records have one claim, and would be read for each of them.
  return `with k as materialized (select ${now} as now),
    ${cte}
    update ${live} t set lease_until = least(${end}, t.started_at + t.timeout + ${DEADLINE_GRACE}) from u, k
      where t.id = u.id and t.claim is not distinct from u.claim and t.state = 2
      returning k.now::text, t.id, t.claim, t.lease_until::text, case when t.cancel_requested_at is null then '0' else '1' end as cancelling`;
}

/** Parameter: ids. Answers with those that there are. */
export function existing({ live, done }: Names): string {
  const ids = `any(array(${listed("$1")}))`;
  return `select id from ${live} where id = ${ids} union all select id from ${done} where id = ${ids}`;
}
