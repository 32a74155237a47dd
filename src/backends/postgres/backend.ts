/** The PostgreSQL store: the contract's methods, each one statement or one short transaction. */
import type * as contract from "../../contracts/queue-backend.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { Doorway } from "../sql/doorway.ts";
import { LaneHints } from "../sql/lane-hints.ts";
import { Lent } from "../sql/lending.ts";
import { Notes } from "../sql/notes.ts";
import type { Session } from "../sql/port.ts";
import { type Damage, soundly } from "../sql/salvage.ts";
import { schemaOf } from "../sql/schema.ts";
import { ServerClock } from "../sql/server-clock.ts";
import type { Settings } from "../sql/settings.ts";
import { apply, renew } from "./apply.ts";
import { claim } from "./claim.ts";
import { atLevel, LEVEL } from "./clients/isolation.ts";
import { POOLER_MET } from "./clients/pooler.ts";
import { type PostgresTransaction, sessionOf } from "./clients/session.ts";
import { Context } from "./context.ts";
import { prune, tally } from "./counts.ts";
import { setAside } from "./damage.ts";
import { facts, findings } from "./diagnose.ts";
import { isContention, storeError } from "./errors.ts";
import { find, page } from "./find.ts";
import { held, hold, release } from "./holds.ts";
import { insert, isManyPieces } from "./insert.ts";
import { type Names, namesIn } from "./names.ts";
import type { PostgresConnections } from "./options.ts";
import { advance, schedules } from "./schedules.ts";
import { migrate, planned } from "./schema.ts";
import { NotifySignals } from "./signals.ts";

/** How often a statement or a transaction is tried that others were in the way of. */
const TRIES = 6;

type Action<T> = (context: Context) => Promise<T>;

export class PostgresBackend implements contract.QueueBackend<PostgresTransaction> {
  readonly name = "postgres";
  readonly shared = true;
  readonly gathers = true;
  readonly signals: NotifySignals;
  readonly schema: NonNullable<contract.QueueBackend["schema"]>;
  readonly #settings: Settings<PostgresConnections>;
  readonly #clock: ServerClock;
  readonly #hints = new LaneHints();
  #names: Names;
  readonly #door: Doorway<PostgresConnections>;
  readonly #lent: Lent;

  constructor(settings: Settings<PostgresConnections>) {
    this.#settings = settings;
    this.#names = this.#namesIn("sidereal");
    this.#clock = new ServerClock(settings);
    this.signals = new NotifySignals(settings.timers);
    this.#lent = new Lent("PostgreSQL", (notes) => this.#tell(notes));
    this.#door = new Doorway({
      name: "The PostgreSQL store",
      place: "database",
      open: (namespace, warn) => this.#open(namespace, warn),
      close: (connections) => this.#close(connections),
      error: storeError,
    });
    this.schema = schemaOf<PostgresConnections>({
      door: this.#door,
      connect: () => this.#connect(),
      plan: planned,
      migrate: (connections, namespace) => connections.transaction((session) => migrate(session, namespace), true),
      error: storeError,
    });
  }

  open(setting?: contract.StoreSetting): Promise<void> {
    return this.#door.open(setting);
  }

  close(): Promise<void> {
    return this.#door.close();
  }

  now(): Promise<Millis> {
    return this.#alone("read the clock", async (context) => {
      const [row] = await context.timed(`select (${context.names.now})::text`, []);
      return context.time(row?.[0]);
    });
  }

  async insert(drafts: readonly Draft[]): Promise<readonly contract.Insertion[]> {
    return this.#batch("enqueue", drafts, (context) => insert(context, drafts), isManyPieces(drafts));
  }

  async claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    return this.#alone("claim", (context) => claim(context, request, this.#hints, this.#settings.timers));
  }

  async apply(changes: readonly contract.Change[]): Promise<readonly boolean[]> {
    return this.#batch("write changes", changes, (context) => apply(context, changes));
  }

  async renew(claims: readonly contract.ClaimRef[], lease: Millis): Promise<readonly contract.Renewal[]> {
    return this.#batch("renew leases", claims, (context) => renew(context, claims, lease));
  }

  async find(query: contract.RecordQuery): Promise<readonly TaskRecord[]> {
    const lanes = query.by === "next" ? this.#hints.between(this.#settings.timers.mono()) : undefined;
    return this.#look("find records", (context, damages) => find(context, query, { damages, lanes }));
  }

  async tally(queues?: readonly string[]): Promise<readonly contract.Tally[]> {
    return this.#alone("count records", (context) => tally(context, queues));
  }

  async page(query: contract.PageQuery): Promise<contract.Page> {
    return this.#look("list records", (context, damages) => page(context, query, damages));
  }

  async prune(query: contract.PruneQuery): Promise<number> {
    return this.#alone("prune records", (context) => prune(context, query));
  }

  async schedules(query: contract.ScheduleQuery): Promise<readonly contract.ScheduleRow[]> {
    return this.#alone("read schedules", (context) => schedules(context, query));
  }

  async advance(changes: readonly contract.ScheduleChange[]): Promise<readonly boolean[]> {
    return this.#batch("advance schedules", changes, (context) => advance(context, changes), true);
  }

  async hold(name: string, holder: string, options: contract.HoldOptions = {}): Promise<contract.Hold> {
    return this.#alone("take a hold", (context) => hold(context, name, holder, options));
  }

  async release(name: string, holder: string): Promise<boolean> {
    return this.#alone("release a hold", (context) => release(context, name, holder));
  }

  async held(prefix: string): Promise<readonly contract.Hold[]> {
    return this.#alone("list holds", (context) => held(context, prefix));
  }

  diagnose(): Promise<readonly contract.Finding[]> {
    return this.#alone("look at the server", async (context) =>
      findings(await facts(context), { pooled: this.#door.held.pooled ?? false }),
    );
  }

  /**
   * A transaction of its own for the body, which is given the client: out of a pool of `pg`, or of `postgres`. READ COMMITTED.
   * @throws TRANSACTION_UNSUPPORTED where there is no connection to spare
   */
  async transaction<T>(body: (tx: PostgresTransaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#lent.lend(this.#door.enter().lending, body, signal);
  }

  /** Joins the caller's transaction, at the isolation level it has. Nobody is woken: whether it commits is not known here. */
  within(tx: PostgresTransaction): Pick<contract.QueueBackend, "insert" | "apply"> {
    const run = async <T>(doing: string, action: Action<T>): Promise<T> => {
      this.#door.enter();
      try {
        const session = sessionOf(tx, doing);
        return await action(this.#context(session, this.#lent.of(tx)));
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

  async #open(namespace: string, warn: contract.StoreSetting["warn"]): Promise<PostgresConnections> {
    this.#names = this.#namesIn(namespace);
    const { store, now } = this.#names;
    const connections = await this.#connect();
    try {
      // Only what is to be migrated is waited for as long as it takes.
      const due = await planned(connections, namespace);
      if (due.statements.length > 0) await connections.transaction((session) => migrate(session, namespace), true);
      const context = this.#context(connections);
      const text = `select clock::text, gen_random_uuid()::text, current_setting('default_transaction_isolation') from ${store}`;
      const [row] = await connections.query(text, []);
      context.time(row?.[0]);
      const leveled = row?.[2] === LEVEL ? connections : atLevel(connections);
      await this.#context(leveled).timed(`update ${store} set clock = greatest(clock, ${now})`, []);
      if (connections.pooled) warn?.(POOLER_MET);
      this.signals.attach(leveled, namespace, row?.[1] ?? "");
      return leveled;
    } catch (error) {
      await connections.close().catch(() => {});
      throw error;
    }
  }

  async #connect(): Promise<PostgresConnections> {
    try {
      return await this.#settings.connect(this.#settings.timers);
    } catch (error) {
      throw storeError(error, "connect");
    }
  }

  async #close(connections: PostgresConnections): Promise<void> {
    await this.signals.detach();
    await connections.close();
  }

  /** A read that may meet damaged rows. */
  #look<T>(doing: string, action: (context: Context, damages: Damage[]) => Promise<T>): Promise<T> {
    return this.#alone(doing, (context) =>
      soundly(
        (damages: Damage[]) => action(context, damages),
        (damages) => setAside(context, damages),
      ),
    );
  }

  /** A write of a list; an empty one asks nobody. */
  #batch<T>(doing: string, list: readonly unknown[], action: Action<T[]>, together = false): Promise<T[]> {
    if (list.length === 0) return this.#door.run(doing, async () => []);
    return together ? this.#together(doing, action) : this.#alone(doing, action);
  }

  /** Statements that stand each for itself. */
  #alone<T>(doing: string, action: Action<T>): Promise<T> {
    return this.#door.run(doing, async (connections) => {
      const context = this.#context(repeating(connections));
      const result = await action(context);
      this.#tell(context.notes);
      return result;
    });
  }

  /** Statements that stand or fall together. */
  #together<T>(doing: string, action: Action<T>): Promise<T> {
    return this.#door.run(doing, (connections) =>
      repeated(async () => {
        const notes = new Notes();
        const result = await connections.transaction((session) => action(this.#context(session, notes)));
        this.#tell(notes);
        return result;
      }),
    );
  }

  #context(session: Session, notes?: Notes): Context {
    return new Context(session, this.#names, this.#clock, notes);
  }

  #namesIn(namespace: string): Names {
    return namesIn(namespace, this.#settings.clock !== undefined);
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
