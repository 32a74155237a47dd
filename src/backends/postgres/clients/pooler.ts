/**
 * Poolers between us and the server (PgBouncer, and others of its kind). One that pools by transaction gives each the
 * session that is free: nothing set, prepared or listened for in one is there in the next.
 */
import type { Session } from "../../sql/port.ts";
import { sqlState } from "../errors.ts";

/**
 * Whether a pooler answers. It names a process of its own making at the start, since a session of the server is not
 * chosen yet. One that pools by session cannot be told apart; it loses wake-ups, and nothing else.
 * @param told - The process named when the connection was made; undefined: the client does not say.
 */
export async function isPooler(session: Session, told: unknown): Promise<boolean> {
  if (typeof told !== "number" || told === 0) return false;
  const [row] = await session.query("select pg_backend_pid()::text", []);
  return row?.[0] !== String(told);
}

/** Whether it was refused that the start of a connection brings settings along, which only poolers do. */
export function refusesSettings(error: unknown): boolean {
  return sqlState(error) === "08P01" && /startup parameter/iu.test((error as Error).message);
}

/** What a process that meets a pooler should be told once. */
export const POOLER_MET =
  "PostgreSQL is reached through a pooler: nobody is woken from another process, work and results are found by polling. Give the queue the server's own address to have wake-ups.";
