/** `sidereal status`: the counts, as a table or as JSON, and nothing else on stdout. */
import { defineQueues, type QueueConfig, QueueService, SiderealError, type StatusCounts } from "../../index.ts";
import { say } from "../console.ts";
import { EXIT } from "../exits.ts";
import { detailOf, Fault, usage } from "../faults.ts";
import { closed, loadQueues, type Source } from "../load.ts";
import { storeOf } from "../store.ts";

export interface StatusFlags {
  readonly queue?: string;
  readonly json?: boolean;
}

const ROWS = ["pending", "scheduled", "running", "completed", "failed", "cancelled", "total"] as const;

/** Prints the counts. @returns 0; a store that cannot be read throws, which is a 1 */
export async function status(flags: StatusFlags, source: Source, out: (text: string) => void): Promise<number> {
  if (flags.queue !== undefined) checkQueue(flags.queue);
  const loaded = await loadQueues(source);
  try {
    // The counts need none of the user's task modules.
    const service = new QueueService({ ...loaded.config, taskModules: [] });
    await mustExist(loaded.config, service.settings.namespace);
    await service.open();
    try {
      const counts = await service.counts(flags.queue === undefined ? {} : { queue: flags.queue });
      out(flags.json === true ? `${json(counts)}\n` : table(counts));
    } finally {
      await service.close();
    }
  } finally {
    await closed(loaded);
  }
  return EXIT.done;
}

/** To look must neither create a store nor change its schema. */
async function mustExist(config: QueueConfig<unknown>, namespace: string): Promise<void> {
  const { name, shared, schema } = storeOf(config);
  if (!shared) {
    say(`note: the ${name} store lives inside one process: these are the counts of a fresh, empty one`);
  }
  const plan = await schema?.plan({ namespace });
  if (plan === undefined || plan.statements.length === 0) return;
  const isNew = plan.from === 0;
  throw new Fault({
    exit: EXIT.failed,
    what: isNew
      ? `the ${name} store has no queue yet (namespace ${namespace}): there is nothing to count`
      : `the ${name} store has schema version ${plan.from}, and this sidereal needs ${plan.to}`,
    why: ["status only looks: it creates and changes nothing"],
    fix: isNew
      ? "Check the store's path and the working directory; the application, a worker or `sidereal migrate` creates it."
      : "Run `sidereal migrate`.",
    code: "STORE_SCHEMA",
  });
}

/** The table of the counts; its shape is part of the public contract. */
export function table(counts: StatusCounts): string {
  const row = (name: string, value: string | number): string => `${name.padEnd(12)}${String(value).padStart(8)}\n`;
  const rows = ROWS.map((name) => row(name, counts[name]));
  return `${row("Status", "Count")}${"-".repeat(12)}  ${"-".repeat(6)}\n${rows.join("")}`;
}

function json(counts: StatusCounts): string {
  return JSON.stringify(Object.fromEntries(ROWS.map((name) => [name, counts[name]])));
}

function checkQueue(queue: string): void {
  try {
    defineQueues({ worker: { queues: [queue] } });
  } catch (error) {
    if (!(error instanceof SiderealError)) throw error;
    throw usage(`--queue: ${detailOf(error)}`, error.advice, { code: error.code });
  }
}
