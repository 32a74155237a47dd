/** `sidereal migrate`: creates the store's schema or brings it up to date; or prints the statements that would. */
import { type MigrationPlan, QueueService } from "../../index.ts";
import { say } from "../console.ts";
import { EXIT } from "../exits.ts";
import { closed, loadQueues, type Source } from "../load.ts";
import { storeOf } from "../store.ts";

export interface MigrateFlags {
  readonly dryRun?: boolean;
}

/** Migrates, or with `dryRun` prints the SQL to stdout. @returns 0; a store that cannot be migrated throws, which is a 1 */
export async function migrate(flags: MigrateFlags, source: Source, out: (text: string) => void): Promise<number> {
  const loaded = await loadQueues(source);
  try {
    const { namespace } = new QueueService(loaded.config).settings;
    const { name, schema } = storeOf(loaded.config);
    const setting = { namespace };
    if (schema === undefined) say(`the ${name} store has no schema: nothing to migrate`);
    else if (flags.dryRun === true) preview(name, await schema.plan(setting), out);
    else out(`${name}: ${done(await schema.migrate(setting))}\n`);
  } finally {
    await closed(loaded);
  }
  return EXIT.done;
}

function preview(name: string, plan: MigrationPlan, out: (text: string) => void): void {
  say(`${name}: ${isCurrent(plan) ? current(plan) : `would go from ${step(plan)}`}`);
  for (const statement of plan.statements) out(`${statement};\n`);
}

function done(plan: MigrationPlan): string {
  return isCurrent(plan) ? current(plan) : `migrated from ${step(plan)}`;
}

const isCurrent = (plan: MigrationPlan): boolean => plan.statements.length === 0;
const current = ({ to }: MigrationPlan): string => `schema is current (version ${to})`;
const step = ({ from, to, statements }: MigrationPlan): string =>
  `schema version ${from} to ${to} (${statements.length} statements)`;
