/** What the user may say about the SQLite store. */
import type { Clock } from "../../contracts/clock.ts";
import type { Duration } from "../../model/duration.ts";
import type { Millis } from "../../model/record.ts";
import type { OpenFile, SqliteConnection } from "./driver.ts";

export interface SqliteOptions {
  /**
   * What an answered call survives. `"normal"` (default): the end of the process, however sudden; a power loss or a
   * crash of the system may cost the last moments, never the file's integrity. `"full"`: those too.
   */
  readonly synchronous?: "normal" | "full";
  /** How long to wait for another process' write before STORE_BUSY; default 5 s. The wait does not block the process. */
  readonly busyTimeout?: Duration;
  /** Default: the process' own clock. */
  readonly clock?: Clock;
}

/**
 * A connection of the caller's own to the same file, in a transaction that the caller began (best with `begin
 * immediate`) and will commit: a `DatabaseSync` of `node:sqlite` or `@photostructure/sqlite`, or a `better-sqlite3` one.
 */
export type SqliteTransaction = SqliteConnection;

/** The options, checked. */
export interface Settings {
  /** The file as the user named it, for messages. */
  readonly path: string;
  /** The file, wherever the process goes later. */
  readonly file: string;
  readonly synchronous: "full" | "normal";
  readonly patience: Millis;
  readonly clock: Clock;
  /** Finds the library. */
  readonly driver: () => Promise<OpenFile>;
}
