/** A backend seen through a door: every call to it passes one function, which may watch, delay, lose or repeat it. */
import type { QueueBackend } from "../contracts/queue-backend.ts";
import type { Signals } from "../contracts/signals.ts";

/** The methods of a store that read or write records and holds. */
export type StoreMethod =
  | "now"
  | "insert"
  | "claim"
  | "apply"
  | "renew"
  | "find"
  | "tally"
  | "page"
  | "prune"
  | "schedules"
  | "advance"
  | "hold"
  | "release"
  | "held";

/** One call on its way to a store. */
export interface StoreCall {
  readonly method: StoreMethod;
  readonly args: readonly unknown[];
}

/** What stands in the door: `send` hands the call to the store; it may be called never, once or several times. */
export type Interceptor = <T>(call: StoreCall, send: () => Promise<T>) => Promise<T>;

export interface InterceptOptions {
  /** Takes the place of the store's own signals. */
  readonly signals?: Signals;
  /** Whether closing the door leaves the store behind it open, because others use it too; default false. */
  readonly keepOpen?: boolean;
}

/** The backend with an interceptor in front of every method that reads or writes; transactions pass untouched. */
export function intercepted<Tx>(
  backend: QueueBackend<Tx>,
  around: Interceptor,
  options: InterceptOptions = {},
): QueueBackend<Tx> {
  const pass = <T>(method: StoreMethod, args: readonly unknown[], send: () => Promise<T>): Promise<T> =>
    around({ method, args }, send);
  const signals = options.signals ?? backend.signals;
  const { gathers, schema } = backend;
  return {
    name: backend.name,
    shared: backend.shared,
    open: (setting) => backend.open(setting),
    close: () => (options.keepOpen ? Promise.resolve() : backend.close()),
    now: () => pass("now", [], () => backend.now()),
    insert: (drafts) => pass("insert", [drafts], () => backend.insert(drafts)),
    claim: (request) => pass("claim", [request], () => backend.claim(request)),
    apply: (changes) => pass("apply", [changes], () => backend.apply(changes)),
    renew: (claims, lease) => pass("renew", [claims, lease], () => backend.renew(claims, lease)),
    find: (query) => pass("find", [query], () => backend.find(query)),
    tally: (queues) => pass("tally", [queues], () => backend.tally(queues)),
    page: (query) => pass("page", [query], () => backend.page(query)),
    prune: (query) => pass("prune", [query], () => backend.prune(query)),
    schedules: (query) => pass("schedules", [query], () => backend.schedules(query)),
    advance: (changes) => pass("advance", [changes], () => backend.advance(changes)),
    hold: (name, holder, how) => pass("hold", [name, holder, how], () => backend.hold(name, holder, how)),
    release: (name, holder) => pass("release", [name, holder], () => backend.release(name, holder)),
    held: (prefix) => pass("held", [prefix], () => backend.held(prefix)),
    ...(signals === undefined ? {} : { signals }),
    ...(gathers === undefined ? {} : { gathers }),
    ...(schema === undefined ? {} : { schema }),
    ...(backend.diagnose === undefined ? {} : { diagnose: () => backend.diagnose?.() ?? Promise.resolve([]) }),
    ...(backend.within === undefined ? {} : { within: (tx: Tx) => within(backend, tx) }),
    ...(backend.transaction === undefined ? {} : { transaction: backend.transaction.bind(backend) }),
  };
}

function within<Tx>(backend: QueueBackend<Tx>, tx: Tx): Pick<QueueBackend, "insert" | "apply"> {
  if (backend.within === undefined) throw new TypeError(`${backend.name} joins no transactions`);
  return backend.within(tx);
}
