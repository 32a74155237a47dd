/** The stores the harness knows: where a fresh one is, how to connect, what can be done to it, and whether it is sound. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { loadDriver, prepare } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { mysqlServer, postgresServer } from "./server-stores.ts";
import type { Trouble } from "./trouble.ts";

/** A store as one process uses it. */
export interface Connected {
  readonly backend: QueueBackend<unknown>;
  /** Takes every connection that there is for so long, as the user's own code may; null: the pool is the store's own. */
  readonly hog: ((ms: number) => Promise<void>) | null;
}

/** A fresh store for one round. */
export interface Stage {
  /** How the processes reach it. */
  readonly place: string;
  /** How the supervisor does: past the faults of the network. */
  readonly ownPlace: string;
  /** What can be done to its server; null: there is none. */
  readonly trouble: Trouble | null;
  /** What the store's own check finds wrong; empty when it is sound. */
  unsound(): Promise<string[]>;
  /** Bytes of the write-ahead log, or of whatever must stay bounded while the load lasts. */
  logSize(): number;
  dispose(): Promise<void>;
}

export interface StoreUnderTest {
  readonly name: string;
  /** Whether there is a server to be hurt. */
  readonly hasServer: boolean;
  stage(folder: string): Promise<Stage>;
  /** @param lends - Whether the connections come from a pool of the user's, where the store can be lent one. */
  connect(place: string, lends: boolean): Connected;
}

const sqliteFile: StoreUnderTest = {
  name: "sqlite",
  hasServer: false,
  stage: async (folder) => {
    const place = join(folder, "queue.db");
    return {
      ...{ place, ownPlace: place, trouble: null },
      unsound: async () => {
        const open = await loadDriver();
        const connection = open(place);
        try {
          const rows = prepare(connection, "pragma integrity_check").all();
          return rows.map(([line]) => String(line)).filter((line) => line !== "ok");
        } finally {
          connection.close();
        }
      },
      logSize: () => statSync(`${place}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      dispose: async () => {},
    };
  },
  connect: (place) => ({ backend: sqlite(place) as QueueBackend<unknown>, hog: null }),
};

const known: readonly StoreUnderTest[] = [sqliteFile, postgresServer, mysqlServer];

/** @throws when the harness has no such store */
export function storeNamed(name: string): StoreUnderTest {
  const store = known.find((other) => other.name === name);
  if (store !== undefined) return store;
  throw new Error(`--store ${name}: the harness knows ${known.map((other) => other.name).join(", ")}`);
}
