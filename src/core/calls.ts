/** Every call to a store gets a deadline of ours: a store that does not answer fails, it never blocks. */
import type { Clock } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";

/** How long a store call may take; longer than a driver's own wait for a lock. */
export const CALL_TIMEOUT: Millis = 10_000;

/** The methods of a backend that moving parts call. */
export type Calls = Pick<
  QueueBackend,
  | "now"
  | "insert"
  | "claim"
  | "apply"
  | "renew"
  | "find"
  | "page"
  | "tally"
  | "prune"
  | "schedules"
  | "advance"
  | "hold"
  | "release"
  | "held"
>;

/**
 * The backend with a deadline on each call. Its errors are always `SiderealError`s.
 * @throws (each call) STORE_TIMEOUT: the outcome is unknown; repeat the call under the same ids or token to learn it.
 */
export function bounded<Tx>(backend: QueueBackend<Tx>, clock: Clock, timeout: Millis = CALL_TIMEOUT): Calls {
  const call = async <T>(name: string, ask: () => Promise<T>, limit = timeout): Promise<T> => {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(limit, () =>
        reject(new SiderealError("STORE_TIMEOUT", `${backend.name}: ${name} took longer than ${limit} ms`)),
      );
    });
    try {
      return await Promise.race([ask(), late]);
    } catch (error) {
      throw error instanceof SiderealError ? error : foreign(backend.name, name, error);
    } finally {
      cancel();
    }
  };
  return {
    now: () => call("now", () => backend.now()),
    insert: (drafts) => call("insert", () => backend.insert(drafts)),
    claim: (request) => call("claim", () => backend.claim(request)),
    apply: (changes) => call("apply", () => backend.apply(changes)),
    // A renewal that hangs must leave time for another one within the lease.
    renew: (claims, lease) =>
      call("renew", () => backend.renew(claims, lease), Math.min(timeout, Math.ceil(lease / 6))),
    find: (query) => call("find", () => backend.find(query)),
    tally: (queues) => call("tally", () => backend.tally(queues)),
    page: (query) => call("page", () => backend.page(query)),
    prune: (query) => call("prune", () => backend.prune(query)),
    schedules: (query) => call("schedules", () => backend.schedules(query)),
    advance: (changes) => call("advance", () => backend.advance(changes)),
    hold: (name, holder, options) => call("hold", () => backend.hold(name, holder, options)),
    release: (name, holder) => call("release", () => backend.release(name, holder)),
    held: (prefix) => call("held", () => backend.held(prefix)),
  };
}

function foreign(store: string, name: string, error: unknown): SiderealError {
  return new SiderealError("STORE_FAILED", `${store}: ${name} failed`, { cause: error });
}
