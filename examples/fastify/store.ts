// store.ts
import type { QueueBackend } from "sidereal";
import { mysql } from "sidereal/mysql";
import { postgres } from "sidereal/postgres";
import { sqlite } from "sidereal/sqlite";

/** The server that the address names; without one, a file beside the application. */
export function storeAt(address: string | undefined): QueueBackend<unknown> {
  if (!address) return sqlite("queue.db");
  if (/^postgres(ql)?:/.test(address)) return postgres(address);
  if (/^(mysql|mariadb):/.test(address)) return mysql(address);
  throw new Error("DATABASE_URL must begin with postgres://, mysql:// or mariadb://");
}
