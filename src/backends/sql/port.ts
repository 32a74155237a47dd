/**
 * What the SQL stores ask of a client library. Every value goes in and comes out as text or null, so that all clients
 * decode alike and whole numbers keep every digit; the statements themselves say how a text is to be read.
 */

/** A value as it travels. */
export type Text = string | null;

/** A row as the list of its columns. */
export type TextRow = readonly Text[];

/** One connection, or any connection of a pool. */
export interface Session {
  query(text: string, values: readonly Text[]): Promise<readonly TextRow[]>;
}

/** Where sessions come from. */
export interface Connections extends Session {
  /**
   * Runs the body in a transaction on one connection: committed when it resolves, rolled back when it rejects.
   * @param patient - Its statements may take long, as those of a migration do.
   */
  transaction<T>(body: (session: Session) => Promise<T>, patient?: boolean): Promise<T>;
  /** Closes what was opened for this store, and nothing else. */
  close(): Promise<void>;
}
