/** The PostgreSQL store: the contract's methods, each one statement or one short transaction. */
import type { Clock } from "../../contracts/clock.ts";
import type * as contract from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { checkNamespace } from "../../model/names.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { LaneHints } from "../sql/lane-hints.ts";
import { Lent } from "../sql/lending.ts";
import type { Connections, Session } from "../sql/port.ts";
import { type Damage, SALVAGE_LIMIT } from "../sql/salvage.ts";
import { ServerClock } from "../sql/server-clock.ts";
import { apply, renew } from "./apply.ts";
import { claim } from "./claim.ts";
import { atLevel, LEVEL } from "./clients/isolation.ts";
import { POOLER_MET } from "./clients/pooler.ts";
import { type PostgresTransaction, sessionOf } from "./clients/session.ts";
import { Context, Notes } from "./context.ts";
import { prune, tally } from "./counts.ts";
import { setAside } from "./damage.ts";
import { facts, findings } from "./diagnose.ts";
import { isContention, storeError } from "./errors.ts";
import { find, page } from "./find.ts";
import { held, hold, release } from "./holds.ts";
import { insert, isManyPieces } from "./insert.ts";
import { type Names, namesIn } from "./names.ts";
import type { Connect, PostgresConnections } from "./options.ts";
import { advance, schedules } from "./schedules.ts";
import { migrate, planned } from "./schema.ts";
import { NotifySignals } from "./signals.ts";

/** What the store is made of. */
export interface Settings {
  readonly connect: Connect;
  /** The store's time, for tests; undefined: the server's clock. */
  readonly clock: Clock | undefined;
  /** Timers and the monotonic clock. */
  readonly timers: Clock;
}

/** How often a statement or a transaction is tried that others were in the way of. */
const TRIES = 6;

export class PostgresBackend implements contract.QueueBackend<PostgresTransaction> {
  readonly name = "postgres";
  readonly shared = true;
  readonly gathers = true;
  readonly signals: NotifySignals;
  readonly schema: NonNullable<contract.QueueBackend["schema"]> = {
    plan: (setting) => this.#plan(setting),
    migrate: (setting) => this.#migrate(setting),
  };
  readonly #settings: Settings;
  readonly #clock: ServerClock;
  readonly #hints = new LaneHints();
  #names: Names;
  #connections: PostgresConnections | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #calls = new Set<Promise<unknown>>();
  readonly #lent = new Lent<Notes>();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#names = namesIn("sidereal", settings.clock !== undefined);
    this.#clock = new ServerClock(settings.clock ?? settings.timers, settings.clock !== undefined);
    this.signals = new NotifySignals(settings.timers);
  }

  async open(setting?: contract.StoreSetting): Promise<void> {
    await this.#closing;
    this.#call(setting?.namespace ?? "sidereal");
    this.#opening ??= this.#open(setting?.warn).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  now(): Promise<Millis> {
    return this.#run("read the clock", async (context) => {
      const [row] = await context.timed(`select (${context.names.now})::text`, []);
      return context.time(row?.[0]);
    });
  }

  async insert(drafts: readonly Draft[]): Promise<readonly contract.Insertion[]> {
    if (drafts.length === 0) return this.#nothing();
    return this.#run("enqueue", (context) => insert(context, drafts), isManyPieces(drafts));
  }

  async claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    return this.#run("claim", (context) => claim(context, request, this.#hints, this.#settings.timers));
  }

  async apply(changes: readonly contract.Change[]): Promise<readonly boolean[]> {
    if (changes.length === 0) return this.#nothing();
    return this.#run("write changes", (context) => apply(context, changes));
  }

  async renew(claims: readonly contract.ClaimRef[], lease: Millis): Promise<readonly contract.Renewal[]> {
    if (claims.length === 0) return this.#nothing();
    return this.#run("renew leases", (context) => renew(context, claims, lease));
  }

  async find(query: contract.RecordQuery): Promise<readonly TaskRecord[]> {
    return this.#look("find records", (context, damages) => find(context, query, damages));
  }

  async tally(queues?: readonly string[]): Promise<readonly contract.Tally[]> {
    return this.#run("count records", (context) => tally(context, queues));
  }

  async page(query: contract.PageQuery): Promise<contract.Page> {
    return this.#look("list records", (context, damages) => page(context, query, damages));
  }

  async prune(query: contract.PruneQuery): Promise<number> {
    return this.#run("prune records", (context) => prune(context, query));
  }

  async schedules(query: contract.ScheduleQuery): Promise<readonly contract.ScheduleRow[]> {
    return this.#run("read schedules", (context) => schedules(context, query));
  }

  async advance(changes: readonly contract.ScheduleChange[]): Promise<readonly boolean[]> {
    if (changes.length === 0) return this.#nothing();
    return this.#run("advance schedules", (context) => advance(context, changes), true);
  }

  async hold(name: string, holder: string, options: contract.HoldOptions = {}): Promise<contract.Hold> {
    return this.#run("take a hold", (context) => hold(context, name, holder, options));
  }

  async release(name: string, holder: string): Promise<boolean> {
    return this.#run("release a hold", (context) => release(context, name, holder));
  }

  async held(prefix: string): Promise<readonly contract.Hold[]> {
    return this.#run("list holds", (context) => held(context, prefix));
  }

  diagnose(): Promise<readonly contract.Finding[]> {
    return this.#run("look at the server", async (context) =>
      findings(await facts(context), { pooled: this.#connections?.pooled ?? false }),
    );
  }

  /**
   * A transaction of its own for the body, which is given the client: out of a pool of `pg`, or of `postgres`. READ COMMITTED.
   * @throws TRANSACTION_UNSUPPORTED where there is no connection to spare
   */
  async transaction<T>(body: (tx: PostgresTransaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const notes = new Notes();
    const result = await this.#lent.lend("PostgreSQL", this.#ready().lending, notes, body, signal);
    this.#tell(notes);
    return result;
  }

  /** Joins the caller's transaction, at the isolation level it has. Nobody is woken: whether it commits is not known here. */
  within(tx: PostgresTransaction): Pick<contract.QueueBackend, "insert" | "apply"> {
    const run = async <T>(doing: string, action: (context: Context) => Promise<T>): Promise<T> => {
      this.#ready();
      try {
        const session = sessionOf(tx, doing);
        return await action(new Context(session, this.#names, this.#clock, this.#lent.of(tx)));
      } catch (error) {
        throw storeError(error, doing);
      }
    };
    return {
      insert: (drafts) =>
        run("enqueue in your transaction", async (context) => (drafts.length === 0 ? [] : insert(context, drafts))),
      apply: (changes) => run("write changes in your transaction", (context) => apply(context, changes)),
    };
  }

  async #open(warn?: contract.StoreSetting["warn"]): Promise<void> {
    if (this.#connections !== undefined) return;
    const connections = await this.#connect();
    const names = this.#names;
    let by = "";
    let pinned = connections;
    try {
      // Only what is to be migrated is waited for as long as it takes.
      const due = await planned(connections, names.namespace);
      if (due.statements.length > 0)
        await connections.transaction((session) => migrate(session, names.namespace), true);
      const context = new Context(connections, names, this.#clock);
      const text = `select clock::text, gen_random_uuid()::text, current_setting('default_transaction_isolation') from ${names.store}`;
      const [row] = await connections.query(text, []);
      context.time(row?.[0]);
      by = row?.[1] ?? "";
      if (row?.[2] !== LEVEL) pinned = atLevel(connections);
      await new Context(pinned, names, this.#clock).timed(
        `update ${names.store} set clock = greatest(clock, ${names.now})`,
        [],
      );
    } catch (error) {
      await connections.close().catch(() => {});
      throw storeError(error, "open the store");
    }
    this.#connections = pinned;
    this.signals.attach(this.#connections, names.namespace, by);
    if (connections.pooled) warn?.(POOLER_MET);
  }

  async #connect(): Promise<PostgresConnections> {
    try {
      return await this.#settings.connect(this.#settings.timers);
    } catch (error) {
      throw storeError(error, "connect");
    }
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const connections = this.#connections;
    if (connections === undefined) return;
    this.#connections = undefined;
    await Promise.allSettled(this.#calls);
    await this.signals.detach();
    try {
      await connections.close();
    } catch (error) {
      throw storeError(error, "close the store");
    }
  }

  /** Takes the name of its schema; one open store has one. */
  #call(namespace: string): void {
    if (namespace === this.#names.namespace) return;
    if (this.#connections !== undefined || this.#opening !== undefined) {
      throw new SiderealError(
        "CONFIG_CONFLICT",
        `This PostgreSQL store is open under the namespace ${this.#names.namespace}, and cannot be opened under ${namespace} too; make a second store of the same database`,
      );
    }
    this.#names = namesIn(checkNamespace(namespace), this.#settings.clock !== undefined);
  }

  async #plan(setting?: contract.StoreSetting): Promise<contract.MigrationPlan> {
    const namespace = checkNamespace(setting?.namespace ?? this.#names.namespace);
    return this.#aside("read the schema", (connections) => planned(connections, namespace));
  }

  async #migrate(setting?: contract.StoreSetting): Promise<contract.MigrationPlan> {
    const namespace = checkNamespace(setting?.namespace ?? this.#names.namespace);
    return this.#aside("migrate the schema", (connections) =>
      connections.transaction((session: Session) => migrate(session, namespace), true),
    );
  }

  /** On the open connections, or on some for this purpose alone. */
  async #aside<T>(doing: string, action: (connections: Connections) => Promise<T>): Promise<T> {
    const open = this.#connections;
    const connections = open ?? (await this.#connect());
    try {
      return await action(connections);
    } catch (error) {
      throw storeError(error, doing);
    } finally {
      if (open === undefined) await connections.close();
    }
  }

  /** A read that may meet damaged rows: then it sets them aside and reads again. */
  async #look<T>(doing: string, action: (context: Context, damages: Damage[]) => Promise<T>): Promise<T> {
    return this.#run(doing, async (context) => {
      const damages: Damage[] = [];
      const found = await action(context, damages);
      if (damages.length === 0) return found;
      await setAside(context, damages.slice(0, SALVAGE_LIMIT));
      return action(context, []);
    });
  }

  async #nothing(): Promise<never[]> {
    this.#ready();
    return [];
  }

  #ready(): PostgresConnections {
    const connections = this.#connections;
    if (connections !== undefined) return connections;
    throw new SiderealError("STORE_CLOSED", "The PostgreSQL store was used while it was not open");
  }

  #run<T>(doing: string, action: (context: Context) => Promise<T>, together = false): Promise<T> {
    const call = this.#tried(doing, action, together);
    this.#calls.add(call);
    const done = (): void => void this.#calls.delete(call);
    call.then(done, done);
    return call;
  }

  async #tried<T>(doing: string, action: (context: Context) => Promise<T>, together: boolean): Promise<T> {
    const connections = this.#ready();
    const context = (session: Session): Context => new Context(session, this.#names, this.#clock);
    try {
      if (!together) return await this.#told(context(repeating(connections)), action);
      return await repeated(async () => {
        let own: Context | undefined;
        const result = await connections.transaction((session) => {
          own = context(session);
          return action(own);
        });
        if (own !== undefined) this.#tell(own.notes);
        return result;
      });
    } catch (error) {
      throw storeError(error, doing);
    }
  }

  async #told<T>(context: Context, action: (context: Context) => Promise<T>): Promise<T> {
    const result = await action(context);
    this.#tell(context.notes);
    return result;
  }

  #tell(notes: Notes): void {
    this.#hints.returned(notes.readyAt);
    this.signals.noted(notes);
  }
}

/** A session that tries a statement again that others were in the way of; each statement is a transaction of its own. */
function repeating(session: Session): Session {
  return { query: (text, values) => repeated(() => session.query(text, values)) };
}

async function repeated<T>(action: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await action();
    } catch (error) {
      if (!isContention(error) || tries === TRIES) throw error;
    }
  }
}
