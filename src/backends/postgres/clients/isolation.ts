/** READ COMMITTED where sessions begin otherwise: by a transaction around each statement, since lent sessions are not set. */
import type { PostgresConnections } from "../options.ts";

/** The isolation level that every statement counts on: each sees what is committed when it begins. */
export const LEVEL = "read committed";

/** The same connections, whose statements all run at `LEVEL`. */
export function atLevel(connections: PostgresConnections): PostgresConnections {
  const { pooled, lending } = connections;
  return {
    query: (text, values) => connections.transaction((session) => session.query(text, values)),
    transaction: (body) => connections.transaction(body),
    close: () => connections.close(),
    lending,
    ...(pooled !== undefined && { pooled }),
    ...(connections.listen && {
      listen: (heard, lost, channel) => connections.listen?.(heard, lost, channel) ?? Promise.resolve(undefined),
    }),
  };
}
