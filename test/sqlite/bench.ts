/** A store in a folder of its own, and what the tests need to look behind it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  loadDriver,
  type OpenFile,
  type OwnConnection,
  prepare,
  type SqlRow,
} from "../../src/backends/sqlite/driver.ts";
import { type SqliteOptions, type SqliteTransaction, sqlite } from "../../src/backends/sqlite/index.ts";
import type { Clock } from "../../src/contracts/clock.ts";
import type { ClaimRequest, QueueBackend, StoreSetting } from "../../src/contracts/queue-backend.ts";
import { enqueued } from "../../src/model/lifecycle.ts";
import type { Draft, TaskPolicy } from "../../src/model/record.ts";
import type { Bench } from "../../src/testing/backend-contract/index.ts";

/** Opens raw connections, as a user of the same file would. */
export const connect: OpenFile = await loadDriver();

/** A fresh folder, gone after the test; answers the path of a file in it. */
export function file(test: TestContext, name = "queue.db"): string {
  const { path, remove } = folder();
  test.after(remove);
  return join(path, name);
}

/** An open store in a fresh file, closed after the test. */
export async function store(
  test: TestContext,
  { namespace = "sidereal", ...options }: SqliteOptions & Partial<StoreSetting> = {},
  path: string = file(test),
): Promise<Store> {
  const backend = sqlite(path, options);
  await backend.open({ namespace });
  test.after(() => backend.close());
  return { backend, path, rows: (sql, ...values) => raw(path, (db) => prepare(db, sql).all(...values)) };
}

export interface Store {
  readonly backend: QueueBackend<SqliteTransaction>;
  readonly path: string;
  /** Reads through a connection of its own. */
  readonly rows: (sql: string, ...values: (string | number | null)[]) => SqlRow[];
}

/** Does something on a connection of its own. */
export function raw<T>(path: string, action: (connection: OwnConnection) => T): T {
  const connection = connect(path);
  try {
    return action(connection);
  } finally {
    connection.close();
  }
}

const POLICY: TaskPolicy = {
  retries: 3,
  backoff: { kind: "exponential", delay: 1_000, factor: 2, maxDelay: 3_600_000, jitter: 0.2 },
  timeout: null,
  requeueOnShutdown: true,
};

/** The n-th draft of a prefix. */
export function draft(n: number, more: Partial<Parameters<typeof enqueued>[0]> = {}): Draft {
  const id = `task-${String(n).padStart(6, "0")}`;
  const facts = { id, taskName: "mail.send", queue: "default", execution: "local", priority: 0, input: `{"n":${n}}` };
  return enqueued({ ...facts, policy: POLICY, ...more });
}

export function drafts(count: number, from = 0, more: Partial<Parameters<typeof enqueued>[0]> = {}): Draft[] {
  return Array.from({ length: count }, (_, at) => draft(from + at, more));
}

let tokens = 0;

/** A claim of everything that `draft` makes. */
export function request(limit: number, more: Partial<ClaimRequest> = {}): ClaimRequest {
  tokens += 1;
  const token = `${process.pid.toString(16)}-${tokens.toString(16)}`.padStart(32, "0");
  const all = { tasks: ["mail.send"], queues: null, queueLimits: {}, executions: ["local"] };
  return { token, workerId: `worker-${process.pid}`, limit, lease: 600_000, ...all, ...more };
}

/** What the contract suite asks for. */
export async function bench(clock: Clock): Promise<Bench<SqliteTransaction>> {
  const { path, remove } = folder();
  const file = join(path, "queue.db");
  return {
    backend: sqlite(file, { clock }),
    another: async () => sqlite(file, { clock }),
    transaction: async (body) => {
      const connection = connect(file);
      connection.exec("begin immediate");
      try {
        const result = await body(connection);
        connection.exec("commit");
        return result;
      } catch (error) {
        connection.exec("rollback");
        throw error;
      } finally {
        connection.close();
      }
    },
    dispose: async () => remove(),
  };
}

function folder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "sidereal-sqlite-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
