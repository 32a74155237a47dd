/** A server of SQL stores, as the tests see it that all of those share. */
import type { TestContext } from "node:test";
import type { ClaimRequest, QueueBackend } from "../../src/contracts/queue-backend.ts";

export interface SqlServer {
  readonly kind: "postgres" | "mysql";
  /** Why its tests are left out; false: it answers. */
  readonly skip: string | false;
  readonly address: string;
  /** A store that is not open. */
  make(): QueueBackend<unknown>;
  /** An open one in a namespace of its own; closed, and removed, after the test. */
  store(t: TestContext): Promise<{ readonly backend: QueueBackend<unknown>; readonly namespace: string }>;
  /** A namespace that nobody has, removed after the test. */
  fresh(t: TestContext): string;
  /** Runs a statement without values on a connection of its own. */
  raw(text: string): Promise<unknown[][]>;
  /** How statements write the name of a table. Of records: where live ones are, or ended ones. */
  table(namespace: string, what: "live" | "done" | "schedules" | "store"): string;
  /** Ends the sessions that work in this namespace, as often as there are any, until the promise resolves. */
  kill(namespace: string, over: Promise<void>): Promise<void>;
}

/** What a worker asks for that takes anything. */
export const CLAIM: ClaimRequest = {
  ...{ workerId: "w", token: "a".repeat(32), limit: 10, lease: 60_000, tasks: ["mail.send"], queues: null },
  ...{ queueLimits: {}, executions: ["local"] },
};

/** Runs the body between begin and commit, or rolls back; then lets go. */
export async function within<T>(
  query: (text: string) => Promise<unknown>,
  body: () => Promise<T>,
  leave: () => unknown = () => {},
): Promise<T> {
  try {
    await query("begin");
    const result = await body();
    await query("commit");
    return result;
  } catch (error) {
    await query("rollback");
    throw error;
  } finally {
    await leave();
  }
}
