/** `sidereal records list` and `show`: what is in the store, a page or one record at a time. */
import type { FindOptions, QueueService, RecordFilter, TaskRecord } from "../../index.ts";
import { say } from "../console.ts";
import { type Existing, onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import { Fault, usage } from "../faults.ts";
import { type FilterFlags, filterOf } from "../filter-flags.ts";
import type { Source } from "../load.ts";
import { recordJson, recordScreen, recordTable } from "../record-text.ts";
import { jsonOf, wholeOf } from "../values.ts";

type Out = (text: string) => void;

export interface ListFlags extends FilterFlags {
  readonly limit?: string;
  readonly cursor?: string;
  readonly oldest?: boolean;
  readonly json?: boolean;
}

/** Records per call of the service. */
const PAGE = 200;

/** Lists records. @returns 0 */
export async function list(flags: ListFlags, source: Source, out: Out): Promise<number> {
  const asked = filterOf(flags);
  const limit = wholeOf(flags.limit ?? "50", "--limit", 1, 10_000);
  const order = flags.oldest === true ? "oldest" : "newest";
  return onExisting(source, async ({ service, now }) => {
    const options = { order, ...(flags.cursor !== undefined && { cursor: flags.cursor }) } as const;
    const { records, cursor } = await collected(service, asked.at(now), limit, options);
    if (flags.json === true) {
      out(jsonOf({ records: records.map((record) => recordJson(record, now)), cursor }));
    } else {
      out(recordTable(records, now));
      if (cursor !== null) say(`more: --cursor ${cursor}`);
    }
    return EXIT.done;
  });
}

/** So many records, over as many short pages as it takes. */
async function collected(
  service: Pick<QueueService<unknown>, "find">,
  filter: RecordFilter,
  limit: number,
  options: FindOptions,
): Promise<{ readonly records: readonly TaskRecord[]; readonly cursor: string | null }> {
  const records: TaskRecord[] = [];
  let cursor = options.cursor ?? null;
  do {
    const most = Math.min(PAGE, limit - records.length);
    const page = await service.find(filter, { ...options, cursor, limit: most }).catch((error: unknown) => {
      if (cursor === null || cursor !== options.cursor || !isRefusal(error)) throw error;
      throw usage("--cursor is not one that `records list` gave in this order", "Copy it whole, and keep --oldest.");
    });
    records.push(...page.records);
    ({ cursor } = page);
  } while (cursor !== null && records.length < limit);
  return { records, cursor };
}

function isRefusal(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "OPTION_INVALID";
}

export interface ShowFlags {
  readonly json?: boolean;
}

/** Shows one record. @returns 0; 1 when there is none of that id */
export async function show(id: string, flags: ShowFlags, source: Source, out: Out): Promise<number> {
  return onExisting(source, async ({ service, now }) => {
    const record = await found(service, id);
    out(flags.json === true ? jsonOf(recordJson(record, now)) : recordScreen(record, now));
    return EXIT.done;
  });
}

async function found(service: Existing["service"], id: string): Promise<TaskRecord> {
  const record = await service.get(id);
  if (record !== null) return record;
  throw new Fault({
    exit: EXIT.failed,
    what: `there is no record ${JSON.stringify(id.slice(0, 200))}`,
    fix: "Look for its id with `sidereal records list`; finished records are removed in time (retention).",
    code: "RECORD_GONE",
  });
}
