/** Reading all records of a store, a page at a time. */
import type { Page, QueueBackend } from "../contracts/queue-backend.ts";
import type { RecordState, TaskRecord } from "../model/record.ts";

const PAGE = 500;

/** The records in order of creation, optionally of one task or in some states. */
export async function allRecords(
  store: Pick<QueueBackend, "page">,
  wanted: { readonly task?: string; readonly states?: readonly RecordState[] } = {},
): Promise<TaskRecord[]> {
  const filter = {
    ...(wanted.task === undefined ? {} : { tasks: [wanted.task] }),
    ...(wanted.states === undefined ? {} : { states: wanted.states }),
  };
  const records: TaskRecord[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await store.page({ order: "oldest", after, limit: PAGE, ...filter });
    records.push(...page.records);
    if (page.next === null) return records;
    after = page.next;
  }
}

/** A record in one line, for the message of a failed assertion. */
export function described(record: TaskRecord): string {
  const facts = [
    `queue ${record.queue}`,
    record.state,
    `input ${short(record.input ?? "none")}`,
    ...(record.priority === 0 ? [] : [`priority ${record.priority}`]),
    ...(record.key === null ? [] : [`key ${record.key}`]),
    ...(record.tags.length === 0 ? [] : [`tags ${record.tags.join(" ")}`]),
    ...(record.metadata === null ? [] : [`metadata ${short(record.metadata)}`]),
    `ready ${new Date(record.readyAt).toISOString()}`,
    ...(record.error === null ? [] : [`error ${record.error.name}: ${short(record.error.message)}`]),
  ];
  return `${record.taskName} (${record.id}): ${facts.join(", ")}`;
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
