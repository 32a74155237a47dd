/** The columns of a record, which are the same in every SQL store; each has them in an order of its own. */
import type { RecordState } from "../../model/record.ts";

/** The stored number of a state is its place here. */
export const STATES: readonly RecordState[] = ["pending", "dispatched", "running", "completed", "failed", "cancelled"];

/** How a column is kept: words and long texts, small and large numbers. A question mark: may be null. */
export type Kind = "text" | "text?" | "count" | "number" | "number?";

const KINDS = {
  id: "text",
  task_name: "text",
  queue: "text",
  execution: "text",
  execution_profile: "text?",
  priority: "count",
  input: "text?",
  policy: "text",
  created_at: "number",
  expires_at: "number?",
  metadata: "text?",
  tags: "text?",
  description: "text?",
  origin: "text?",
  state: "count",
  version: "number",
  claim: "text?",
  attempt: "count",
  failures: "count",
  losses: "count",
  interruptions: "count",
  snoozes: "count",
  revivals: "count",
  begun: "count",
  key: "text?",
  ref: "text?",
  queued_at: "number",
  ready_at: "number",
  started_at: "number?",
  finished_at: "number?",
  cancel_requested_at: "number?",
  reason: "text?",
  result: "text?",
  error: "text?",
  progress: "text?",
  logs: "text?",
  lease_until: "number?",
  worker_id: "text?",
} as const;

export type ColumnName = keyof typeof KINDS;

/** A column of a record. */
export type Column = readonly [name: ColumnName, kind: Kind];

/** The columns of these names. */
export function columnsOf(names: string): readonly Column[] {
  return (names.split(" ") as ColumnName[]).map((name) => [name, KINDS[name]]);
}

/** What a table says of the column if nothing is given for it. */
export function defaultOf(name: string, kind: Kind): string {
  if (name === "version") return " default 1";
  return kind === "count" ? " default 0" : "";
}

/** What is fixed at enqueue; the rest of a record is written by the lifecycle. */
export const FIXED: readonly string[] =
  "id task_name queue execution execution_profile priority input policy created_at expires_at metadata tags description origin".split(
    " ",
  );
