/** Connections out of a pool of `pg`, whose failures are heard from the first moment to the last. */
import type { PgPool, PgPoolClient } from "./session.ts";

/** A pool as it also may be asked. */
interface CallbackPool {
  connect(callback: (error: unknown, client?: PgPoolClient) => void): PromiseLike<PgPoolClient> | undefined;
}

/**
 * Takes a connection and listens for its failures until it is given back. A pool stops to listen when it hands one over,
 * and the server's farewell may lie in the data that is being read just then: before a promise tells of the connection,
 * its failure with nobody listening would end the process. A callback is called at once.
 */
export function taken(pool: PgPool): Promise<PgPoolClient> {
  return new Promise((resolve, reject) => {
    const told = (client: PgPoolClient): void => {
      client.on("error", ignore);
      resolve(client);
    };
    const answer = (pool as unknown as CallbackPool).connect((error, client) => {
      if (client === undefined) reject(error);
      else told(client);
    });
    // A pool that knows promises only.
    answer?.then(told, reject);
  });
}

/** Gives a connection back. @param error - It is closed; what is closed may still complain, with nobody else to hear it. */
export function given(client: PgPoolClient, error?: Error): void {
  client.release(error);
  if (error === undefined) client.removeListener("error", ignore);
}

const ignore = (): void => {};
