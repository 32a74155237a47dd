/** What the schemas of the SQL stores have in common. */
import type { MigrationPlan, QueueBackend, StoreSetting } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import type { Doorway } from "./doorway.ts";

/** How the schema of a server store is looked at and changed. */
export interface SchemaSteps<Connections> {
  readonly door: Doorway<Connections>;
  connect(): Promise<Connections>;
  plan(connections: Connections, namespace: string): Promise<MigrationPlan>;
  migrate(connections: Connections, namespace: string): Promise<MigrationPlan>;
  /** What to throw for something that was thrown. */
  error(error: unknown, doing: string): unknown;
}

/** The schema of a server store for operators: on its open connections, or on some for this purpose alone. */
export function schemaOf<Connections extends { close(): Promise<void> }>(
  steps: SchemaSteps<Connections>,
): NonNullable<QueueBackend["schema"]> {
  const { door } = steps;
  const aside = async (
    doing: string,
    step: (connections: Connections, namespace: string) => Promise<MigrationPlan>,
    setting: StoreSetting | undefined,
  ): Promise<MigrationPlan> => {
    const namespace = door.namespaceOf(setting);
    const open = door.isOpen ? door.held : undefined;
    try {
      const connections = open ?? (await steps.connect());
      try {
        return await step(connections, namespace);
      } finally {
        if (open === undefined) await connections.close();
      }
    } catch (error) {
      throw steps.error(error, doing);
    }
  };
  return {
    plan: (setting) => aside("read the schema", steps.plan, setting),
    migrate: (setting) => aside("migrate the schema", steps.migrate, setting),
  };
}

/**
 * Refuses a schema that is newer than this version of the package.
 * @param what - Begins the message: `The schema sidereal has version`.
 * @throws STORE_SCHEMA
 */
export function checkKnown(what: string, version: number, known: number): void {
  if (version <= known) return;
  throw new SiderealError(
    "STORE_SCHEMA",
    `${what} ${version}; this version of sidereal knows up to ${known}, so it must be upgraded`,
  );
}
