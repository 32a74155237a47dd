/** The stores the harness knows: how to connect, and how to ask the store itself whether it is sound. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { loadDriver, prepare } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";

export interface StoreUnderTest {
  readonly name: string;
  /** Where a fresh store for one run is, given a folder of its own. */
  place(folder: string): string;
  connect(place: string): QueueBackend<unknown>;
  /** What the store's own check finds wrong; empty when it is sound. */
  unsound(place: string): Promise<string[]>;
  /** Bytes of the write-ahead log, or of whatever must stay bounded while the load lasts. */
  logSize(place: string): number;
}

const sqliteFile: StoreUnderTest = {
  name: "sqlite",
  place: (folder) => join(folder, "queue.db"),
  connect: (place) => sqlite(place) as QueueBackend<unknown>,
  unsound: async (place) => {
    const open = await loadDriver();
    const connection = open(place);
    try {
      const rows = prepare(connection, "pragma integrity_check").all();
      return rows.map(([line]) => String(line)).filter((line) => line !== "ok");
    } finally {
      connection.close();
    }
  },
  logSize: (place) => statSync(`${place}-wal`, { throwIfNoEntry: false })?.size ?? 0,
};

const known: readonly StoreUnderTest[] = [sqliteFile];

/** @throws when the harness has no such store */
export function storeNamed(name: string): StoreUnderTest {
  const store = known.find((other) => other.name === name);
  if (store !== undefined) return store;
  throw new Error(`--store ${name}: the harness knows ${known.map((other) => other.name).join(", ")}`);
}
