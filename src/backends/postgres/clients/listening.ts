/** What wake-ups need of a client library: one connection of its own, on which notifications arrive. */
import type { Session } from "../../sql/port.ts";

export interface Listener {
  /** The listening connection; for its own check, and for notifications that are sent. */
  readonly session: Session;
  stop(): void;
}

export interface Listening {
  /** Whether a pooler stands between that may give each transaction another session; undefined: it cannot be told. */
  readonly pooled?: boolean;
  /**
   * Opens a connection and listens on it.
   * @param lost - Called, perhaps more than once, when the connection has ended.
   */
  listen(heard: (payload: string) => void, lost: () => void, channel: string): Promise<Listener | undefined>;
}
