/** `sidereal/sqlite`: the queue in one file. */
import { resolve } from "node:path";
import type { QueueBackend } from "../../contracts/queue-backend.ts";
import { systemClock } from "../../host/clock.ts";
import { parseDuration, quoted } from "../../model/duration.ts";
import { SiderealError } from "../../model/errors.ts";
import { SqliteBackend } from "./backend.ts";
import { loadDriver } from "./driver.ts";
import type { SqliteOptions, SqliteTransaction } from "./options.ts";

export type { SqliteOptions, SqliteTransaction } from "./options.ts";

/**
 * A store in one SQLite file, shared by any number of processes of one machine.
 *
 * The file must lie on a local disk: its write-ahead log does not work across a network. It may hold tables of the
 * user's own; ours begin with the namespace. Node 22.13 and later bring SQLite; before, install `@photostructure/sqlite`.
 * @param path - The file; created if it is missing, its folder is not.
 * @throws CONFIG_INVALID for a path or an option that is not allowed
 */
export function sqlite(path: string, options: SqliteOptions = {}): QueueBackend<SqliteTransaction> {
  if (typeof path !== "string" || path.trim() === "") {
    throw new SiderealError("CONFIG_INVALID", `sqlite(path): path is ${quoted(path)}, not the name of a file`);
  }
  if (path === ":memory:" || path.startsWith("file:")) {
    const instead = path === ":memory:" ? "use memory() for a store in memory" : "give a plain path";
    throw new SiderealError("CONFIG_INVALID", `sqlite(path): ${quoted(path)} is not the name of a file; ${instead}`);
  }
  const { synchronous = "normal", busyTimeout = 5_000, clock = systemClock } = options;
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new SiderealError("CONFIG_INVALID", `synchronous is ${quoted(synchronous)}, not "normal" or "full"`);
  }
  return new SqliteBackend({
    path,
    file: resolve(path),
    synchronous,
    patience: parseDuration(busyTimeout, "busyTimeout"),
    clock,
    driver: loadDriver,
  });
}
