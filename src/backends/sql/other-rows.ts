/** Rows of texts that are no records: reservations and schedules. */
import type { Hold, ScheduleRow } from "../../contracts/queue-backend.ts";
import type { TextRow } from "./port.ts";
import { restored } from "./text.ts";
import { countedOrNull } from "./text-rows.ts";

/** The reservation in a row: name, holder, until, note. */
export function holdIn([name, holder, until, note]: TextRow): Hold {
  return {
    name: restored(name ?? ""),
    holder: restored(holder ?? ""),
    until: until === null ? null : Number(until),
    note: note === null || note === undefined ? null : restored(note),
  };
}

/** The schedule in a row: name, version, due_at, body. A number that is damaged is nobody's version, and a time that does not come. */
export function scheduleIn([name, version, dueAt, body]: TextRow): ScheduleRow {
  return {
    name: restored(name ?? ""),
    version: countedOrNull(version) ?? 0,
    dueAt: countedOrNull(dueAt),
    body: restored(body ?? ""),
  };
}
