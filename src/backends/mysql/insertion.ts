/** The statement that writes drafts. What differs from row to row travels as a table, what does not as a parameter. */
import type { Draft } from "../../model/record.ts";
import { columnOf, isConstant } from "../sql/batch.ts";
import { DEFAULTS, DRAFTED } from "../sql/drafts.ts";
import type { Text } from "../sql/port.ts";
import { COLUMNS, digits, placeOf, WRITERS } from "../sql/text-rows.ts";
import { ALARM, type Names, PENDING, typeOf } from "./names.ts";
import { type Column, cell, fitting, lines, parameter, table } from "./sheet.ts";

/** What a batch is like. */
export interface Shape {
  /** Differ from row to row; the id first. */
  readonly varied: readonly Column[];
  /** The same in every row, and not the default. */
  readonly shared: readonly Column[];
  /** Whether the records are all pending, as they are unless a test or an import makes others. */
  readonly pending: boolean;
}

/** @throws OPTION_INVALID for what does not fit */
export function shapeOf(drafts: readonly Draft[]): Shape {
  const record = (name: string): Column => {
    const writer = WRITERS[placeOf(name)] as (typeof WRITERS)[number];
    return columnOf(drafts, name, typeOf(name), (draft) => fitting(name, writer(draft.record)));
  };
  const columns = [
    ...DRAFTED.map((place) => record((COLUMNS[place] as (typeof COLUMNS)[number])[0])),
    stamp("run_at", ({ runAt }) => digits(runAt)),
    stamp("ready_in", ({ readyIn }) => String(readyIn)),
    stamp("expires_at", ({ expiresAt }) => digits(expiresAt)),
    stamp("expires_in", ({ expiresIn }) => digits(expiresIn)),
    stamp("timeout", ({ record: { policy } }) => digits(policy.timeout)),
    stamp("weight", ({ record: { priority } }) => String(-priority)),
  ];
  function stamp(name: string, value: (draft: Draft) => Text): Column {
    return columnOf(drafts, name, "bigint", value);
  }
  const varied = columns.filter(({ values }, at) => at === 0 || !isConstant(values));
  const shared = columns.filter(
    ({ name, values }, at) => at > 0 && isConstant(values) && (values[0] ?? null) !== defaultOf(name),
  );
  return { varied, shared, pending: drafts.every(({ record: { state } }) => state === "pending") };
}

function defaultOf(name: string): Text {
  if (name === "ready_in" || name === "weight") return "0";
  const place = placeOf(name);
  return place < 0 ? null : (DEFAULTS[place] ?? null);
}

/** The rows of a batch as JSON texts. */
export function draftLines({ varied }: Shape): string[] {
  return lines(varied);
}

/** What an insert is given besides its shape. */
export interface Given {
  readonly floor: string;
  readonly json: string;
  /** Whether it tells the time by `last_insert_id`; otherwise the floor is the time. */
  readonly tells: boolean;
}

/** The insert of a batch; it keeps the rows' order. */
export function insertion(
  names: Names,
  { varied, shared, pending }: Shape,
  { floor, json, tells }: Given,
): { text: string; values: readonly Text[] } {
  const values: Text[] = [];
  const cells = new Map<string, string>();
  const given = shared.map((column, at) => {
    values.push(column.values[0] ?? null);
    cells.set(column.name, `k.p${at}`);
    return `${parameter(column.type)} as p${at}`;
  });
  values.push(floor, json);
  for (const column of varied) cells.set(column.name, cell("u", column));
  const of = (name: string): string => cells.get(name) ?? (name === "weight" || name === "ready_in" ? "0" : "null");
  const written = [...varied, ...shared].map(({ name }) => name).filter((name) => placeOf(name) >= 0);
  const columns = written.filter((name) => name !== "expires_at");
  const readyAt = `coalesce(${of("run_at")}, k.now + ${of("ready_in")})`;
  const expiresAt = expiry(of, readyAt);
  const state = of("state");
  const at = pending ? readyAt : `if(${state} = ${PENDING}, ${readyAt}, ${of("finished_at")})`;
  const more: Readonly<Record<string, string>> = {
    created_at: tells ? "last_insert_id(k.now)" : "k.now",
    queued_at: "k.now",
    ready_at: readyAt,
    expires_at: expiresAt,
    timeout: of("timeout"),
    weight: of("weight"),
    at,
    alarm: pending ? expiresAt : alarm(of, expiresAt),
    seq: "uuid_short()",
  };
  const floorOf = "cast(? as signed)";
  const text = `insert into ${names.tasks} (${[...columns, ...Object.keys(more)].map((name) => `\`${name}\``).join(", ")})
    select ${[...columns.map(of), ...Object.values(more)].join(", ")}
    from (select ${[...given, `${tells ? names.now(floorOf) : floorOf} as now`].join(", ")}) k straight_join ${table("u", varied)}`;
  return { text, values };
}

function expiry(of: (name: string) => string, readyAt: string): string {
  if (of("expires_in") === "null") return of("expires_at");
  return `if(${of("expires_in")} is null, ${of("expires_at")}, greatest(${readyAt}, k.now) + ${of("expires_in")})`;
}

function alarm(of: (name: string) => string, expiresAt: string): string {
  const state = of("state");
  return `case when ${state} = ${PENDING} then ${expiresAt} when ${state} > 3 then ${ALARM.dead}
      when ${state} < 3 and ${of("cancel_requested_at")} is not null then ${ALARM.cancelling} end`;
}
