/** The SQLite store: the contract's methods over one connection, each write one transaction that takes the lock first. */
import { existsSync } from "node:fs";
import type * as contract from "../../contracts/queue-backend.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { Doorway } from "../sql/doorway.ts";
import { type Damage, soundly } from "../sql/salvage.ts";
import { apply, renew } from "./apply.ts";
import { claim, hasClaimable } from "./claim.ts";
import { connect, Prepared } from "./connection.ts";
import { prune, tally } from "./counts.ts";
import { setAside } from "./damage.ts";
import { facts, findings } from "./diagnose.ts";
import type { OwnConnection, SqlValue } from "./driver.ts";
import { storeError } from "./errors.ts";
import { find, page } from "./find.ts";
import { held, hold, release } from "./holds.ts";
import { insert } from "./insert.ts";
import { joined } from "./join.ts";
import { cut, LogBound } from "./log.ts";
import type { Settings, SqliteTransaction } from "./options.ts";
import { OwnTransactions } from "./own-transactions.ts";
import { advance, schedules } from "./schedules.ts";
import { migrate, planFrom, planned, proveWritable } from "./schema.ts";
import { FileSignals } from "./signals.ts";
import { type Statements, statements } from "./statements.ts";
import { type Counters, StoreClock, Transaction } from "./transaction.ts";
import { Turns } from "./turns.ts";

interface Opened {
  readonly connection: OwnConnection;
  readonly prepared: Prepared;
}

export class SqliteBackend implements contract.QueueBackend<SqliteTransaction> {
  readonly name = "sqlite";
  readonly shared = true;
  readonly gathers = true;
  readonly signals: FileSignals;
  readonly schema: NonNullable<contract.QueueBackend["schema"]> = {
    plan: (setting) => this.#plan(setting),
    migrate: (setting) => this.#migrate(setting),
  };
  readonly #settings: Settings;
  #sql: Statements = statements("sidereal");
  readonly #clock: StoreClock;
  readonly #turns: Turns;
  readonly #log: LogBound;
  readonly #transactions: OwnTransactions;
  readonly #door: Doorway<Opened>;
  /** Whether the last claim came back short: then the next looks before it takes the lock. */
  #idle = true;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#clock = new StoreClock(settings.clock);
    this.#turns = new Turns(settings.clock, settings.patience);
    this.#log = new LogBound(settings.file);
    this.signals = new FileSignals({
      clock: settings.clock,
      file: `${settings.file}-wal`,
      version: () => this.#peek("pragma data_version", ([version]) => Number(version)),
      counters: () => this.#peek(this.#sql.readStore, countersOf),
    });
    this.#door = new Doorway({
      name: `The store ${settings.path}`,
      place: "file",
      open: (namespace) => this.#open(namespace),
      opened: () => this.signals.start(),
      close: (opened) => this.#close(opened),
      error: (error, doing) => storeError(error, { path: settings.path, doing }),
    });
    this.#transactions = new OwnTransactions(settings, this.#door);
  }

  open(setting?: contract.StoreSetting): Promise<void> {
    return this.#door.open(setting);
  }

  close(): Promise<void> {
    return this.#door.close();
  }

  now(): Promise<Millis> {
    return this.#read("read the clock", (tx) => tx.now);
  }

  async insert(drafts: readonly Draft[]): Promise<readonly contract.Insertion[]> {
    return this.#batch("enqueue", drafts, (tx) => insert(tx, drafts));
  }

  async claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    if (this.#idle && !(await this.#read("claim", (tx) => hasClaimable(tx, request)))) return [];
    const records = await this.#write("claim", (tx) => claim(tx, request));
    this.#idle = records.length < request.limit;
    return records;
  }

  async apply(changes: readonly contract.Change[]): Promise<readonly boolean[]> {
    return this.#batch("write changes", changes, (tx) => apply(tx, changes));
  }

  async renew(claims: readonly contract.ClaimRef[], lease: Millis): Promise<readonly contract.Renewal[]> {
    return this.#batch("renew leases", claims, (tx) => renew(tx, claims, lease));
  }

  async find(query: contract.RecordQuery): Promise<readonly TaskRecord[]> {
    return this.#look("find records", (tx, damages) => find(tx, query, damages));
  }

  async tally(queues?: readonly string[]): Promise<readonly contract.Tally[]> {
    return this.#read("count records", (tx) => tally(tx, queues));
  }

  async page(query: contract.PageQuery): Promise<contract.Page> {
    return this.#look("list records", (tx, damages) => page(tx, query, damages));
  }

  async prune(query: contract.PruneQuery): Promise<number> {
    return this.#write("prune records", (tx) => prune(tx, query));
  }

  async schedules(query: contract.ScheduleQuery): Promise<readonly contract.ScheduleRow[]> {
    return this.#read("read schedules", (tx) => schedules(tx, query));
  }

  async advance(changes: readonly contract.ScheduleChange[]): Promise<readonly boolean[]> {
    return this.#batch("advance schedules", changes, (tx) => advance(tx, changes));
  }

  async hold(name: string, holder: string, options: contract.HoldOptions = {}): Promise<contract.Hold> {
    return this.#write("take a hold", (tx) => hold(tx, name, holder, options));
  }

  async release(name: string, holder: string): Promise<boolean> {
    return this.#write("release a hold", (tx) => release(tx, name, holder));
  }

  async held(prefix: string): Promise<readonly contract.Hold[]> {
    return this.#read("list holds", (tx) => held(tx, prefix));
  }

  async diagnose(): Promise<readonly contract.Finding[]> {
    const { connection } = this.#door.enter();
    return this.#turn("look at the store", () => findings(facts(connection, this.#settings)));
  }

  /** Joins a transaction that the caller began on a connection to the same file; its end is the caller's business. */
  within(connection: SqliteTransaction): Pick<contract.QueueBackend, "insert" | "apply"> {
    const run = async <T>(doing: string, action: (tx: Transaction) => T): Promise<T> => {
      this.#door.enter();
      return joined(connection, this.#settings, doing, (prepared) => {
        const tx = new Transaction(prepared, this.#sql, this.#clock);
        const result = action(tx);
        if (tx.wrote) tx.sign();
        return result;
      });
    };
    return {
      insert: (drafts) => run("enqueue in your transaction", (tx) => insert(tx, drafts)),
      apply: (changes) => run("write changes in your transaction", (tx) => apply(tx, changes)),
    };
  }

  /** On a connection of its own, which is handed to the body: a `DatabaseSync`. Everybody else's writes wait for its end. */
  async transaction<T>(body: (connection: SqliteTransaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#door.enter();
    return this.#transactions.run(body, signal);
  }

  async #open(namespace: string): Promise<Opened> {
    const { path } = this.#settings;
    this.#sql = statements(namespace);
    const driver = await this.#settings.driver();
    const connection = await this.#turn("open the store", () => {
      const connection = connect(driver, this.#settings);
      try {
        migrate(connection, namespace, path);
        proveWritable(connection, namespace);
        return connection;
      } catch (error) {
        connection.close();
        throw error;
      }
    });
    return { connection, prepared: new Prepared(connection) };
  }

  async #close({ connection }: Opened): Promise<void> {
    this.signals.stop();
    this.#transactions.close();
    await this.#turns.idle();
    cut(connection);
    connection.close();
  }

  async #plan(setting?: contract.StoreSetting): Promise<contract.MigrationPlan> {
    const { path, file } = this.#settings;
    const namespace = this.#door.namespaceOf(setting);
    if (!this.#door.isOpen && !existsSync(file)) return planFrom(0, namespace);
    return this.#aside("read the schema", (connection) => planned(connection, namespace, path));
  }

  async #migrate(setting?: contract.StoreSetting): Promise<contract.MigrationPlan> {
    const { path } = this.#settings;
    const namespace = this.#door.namespaceOf(setting);
    return this.#aside("migrate the schema", (connection) => migrate(connection, namespace, path));
  }

  /** On the open connection, or on one for this purpose alone. */
  async #aside<T>(doing: string, action: (connection: OwnConnection) => T): Promise<T> {
    const driver = await this.#settings.driver();
    return this.#turn(doing, () => {
      if (this.#door.isOpen) return action(this.#door.held.connection);
      const connection = driver(this.#settings.file);
      try {
        return action(connection);
      } finally {
        connection.close();
      }
    });
  }

  /** A read that may meet damaged rows. */
  #look<T>(doing: string, action: (tx: Transaction, damages: Damage<SqlValue>[]) => T): Promise<T> {
    return soundly(
      (damages: Damage<SqlValue>[]) => this.#read(doing, (tx) => action(tx, damages)),
      (damages) => this.#write("set damaged records aside", (tx) => setAside(tx, damages)),
    );
  }

  async #read<T>(doing: string, action: (tx: Transaction) => T): Promise<T> {
    const { prepared } = this.#door.enter();
    return this.#turn(doing, () =>
      transacted(prepared, "begin", (finish) => {
        const result = action(new Transaction(prepared, this.#sql, this.#clock));
        finish("commit");
        return result;
      }),
    );
  }

  /** A write of a list; an empty one takes no lock. */
  async #batch<T>(doing: string, list: readonly unknown[], action: (tx: Transaction) => T[]): Promise<T[]> {
    this.#door.enter();
    return list.length === 0 ? [] : this.#write(doing, action);
  }

  async #write<T>(doing: string, action: (tx: Transaction) => T): Promise<T> {
    const { prepared, connection } = this.#door.enter();
    return this.#turn(doing, () => {
      const [tx, result] = transacted(prepared, "begin immediate", (finish) => {
        const tx = new Transaction(prepared, this.#sql, this.#clock);
        const result = action(tx);
        if (tx.wrote) tx.sign();
        finish(tx.wrote ? "commit" : "rollback");
        return [tx, result] as const;
      });
      this.#tell(tx);
      if (tx.wrote) this.#log.wrote(connection);
      return result;
    });
  }

  #tell(tx: Transaction): void {
    this.signals.found(tx.found);
    if (!tx.wrote) return;
    this.signals.left(tx.left);
    if (tx.ended.length > 0) this.signals.emit({ about: "outcome", ids: tx.ended });
    if (tx.work) {
      // The claim that follows will find something: it need not look before it takes the lock.
      this.#idle = false;
      this.signals.emit({ about: "work" });
    }
    if (tx.cancel) this.signals.emit({ about: "cancel" });
  }

  async #turn<T>(doing: string, action: () => T): Promise<T> {
    try {
      return await this.#turns.take(action);
    } catch (error) {
      throw storeError(error, { path: this.#settings.path, doing, waited: this.#settings.patience });
    }
  }

  /** A look for the signals' sake: nothing depends on it, so nothing may fail because of it. */
  #peek<T>(sql: string, read: (row: readonly unknown[]) => T): T | undefined {
    if (!this.#door.isOpen) return undefined;
    try {
      const row = this.#door.held.prepared.get(sql).get();
      return row && read(row);
    } catch {
      return undefined;
    }
  }
}

function countersOf([, work, ended, cancels]: readonly unknown[]): Counters {
  return { work: Number(work), ended: Number(ended), cancels: Number(cancels) };
}

/** Runs between `begin` and the end that the action names; anything thrown rolls back. */
function transacted<T>(prepared: Prepared, begin: string, action: (finish: (end: string) => void) => T): T {
  prepared.get(begin).run();
  try {
    return action((end) => {
      prepared.get(end).run();
    });
  } catch (error) {
    try {
      prepared.get("rollback").run();
    } catch {
      // SQLite has rolled back by itself.
    }
    throw error;
  }
}
