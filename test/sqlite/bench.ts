/** A store in a folder of its own, and what the tests need to look behind it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadDriver } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import type { Clock } from "../../src/contracts/clock.ts";

/** A fresh folder; `remove` it when done. */
export function folder(): { path: string; file: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "sidereal-sqlite-"));
  return { path, file: join(path, "queue.db"), remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** What the contract suite asks for. */
export async function bench(clock: Clock) {
  const { file, remove } = folder();
  const connect = await loadDriver();
  return {
    backend: sqlite(file, { clock }),
    another: async () => sqlite(file, { clock }),
    transaction: async <T>(body: (tx: ReturnType<typeof connect>) => Promise<T>): Promise<T> => {
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
