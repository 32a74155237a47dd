/** For commands that work on a queue that must be there already: they open it, and never create or change a schema. */
import { type QueueConfig, QueueService } from "../index.ts";
import { say } from "./console.ts";
import { EXIT } from "./exits.ts";
import { Fault } from "./faults.ts";
import { closed, loadQueues, type Source } from "./load.ts";
import { storeOf } from "./store.ts";

/** What a command is given to work with. */
export interface Existing {
  readonly service: QueueService<unknown>;
  /** The store's clock, in milliseconds since the epoch. */
  readonly now: number;
}

/** What a command needs beyond the queue. */
export interface Needs {
  /** Import the task modules too; done before the store is looked at. */
  readonly withTasks?: boolean;
  /** Says why a store inside one process is of no use to the command; absent: it is. */
  readonly shared?: string;
  /** Called before the store is looked at. */
  readonly first?: (service: QueueService<unknown>) => void;
}

/**
 * Loads the application, opens its queue service, and closes both after the action.
 * @param options.withTasks - Whether the action needs the task modules; default false.
 * @throws Fault when the store is not there or needs a migration
 */
export async function onExisting(
  source: Source,
  action: (parts: Existing) => Promise<number>,
  { withTasks = false, shared, first }: Needs = {},
): Promise<number> {
  const loaded = await loadQueues(source);
  try {
    // Where no task is run, nothing is needed that tasks need.
    const service = new QueueService(
      withTasks ? loaded.config : { ...loaded.config, taskModules: [], dependencies: {} },
    );
    loaded.lend(service);
    if (shared !== undefined) mustBeShared(loaded.config, shared);
    if (withTasks) await service.loadTasks();
    first?.(service);
    await mustExist(loaded.config, service.settings.namespace);
    await service.open();
    try {
      return await action({ service, now: await service.parts.storeTime.sync() });
    } finally {
      await service.close();
    }
  } finally {
    await closed(loaded);
  }
}

function mustBeShared(config: QueueConfig<unknown>, why: string): void {
  const { name, shared } = storeOf(config);
  if (shared) return;
  throw new Fault({
    exit: EXIT.failed,
    what: `the ${name} store lives inside one process, and this is another`,
    why: [why],
    fix: "Configure a store that processes share, such as sqlite(path).",
  });
}

/** To look must neither create a store nor change its schema. */
async function mustExist(config: QueueConfig<unknown>, namespace: string): Promise<void> {
  const { name, shared, schema } = storeOf(config);
  if (!shared) {
    say(`note: the ${name} store lives inside one process: what you see is a fresh, empty one`);
  }
  const plan = await schema?.plan({ namespace });
  if (plan === undefined || plan.statements.length === 0) return;
  const isNew = plan.from === 0;
  throw new Fault({
    exit: EXIT.failed,
    what: isNew
      ? `the ${name} store has no queue yet (namespace ${namespace}): there is nothing to look at`
      : `the ${name} store has schema version ${plan.from}, and this sidereal needs ${plan.to}`,
    why: ["this command creates no store and changes no schema"],
    fix: isNew
      ? "Check the store's path and the working directory; the application, a worker or `sidereal migrate` creates it."
      : "Run `sidereal migrate`.",
    code: "STORE_SCHEMA",
  });
}
