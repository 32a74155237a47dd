/** Connections by one client of the caller's own, which runs one statement after the other. */
import type { Connections, Session, Text, TextRow } from "../../sql/port.ts";
import { clientSession, type PostgresClient } from "./session.ts";

export class ClientConnections implements Connections {
  readonly #session: Session;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: PostgresClient) {
    this.#session = clientSession(client);
  }

  query(text: string, values: readonly Text[]): Promise<readonly TextRow[]> {
    return this.#inTurn(() => this.#session.query(text, values));
  }

  transaction<T>(body: (session: Session) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      await this.#session.query("begin isolation level read committed", []);
      try {
        const result = await body(this.#session);
        await this.#session.query("commit", []);
        return result;
      } catch (error) {
        await this.#session.query("rollback", []);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
  }

  /** A statement of another call must not slip into a transaction. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action, action);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
