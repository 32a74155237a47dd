/** The MySQL store: the contract's methods, each one statement or one short transaction. */
import type * as contract from "../../contracts/queue-backend.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { noneOpen } from "../sql/callers/index.ts";
import { Doorway } from "../sql/doorway.ts";
import { LaneHints, laneOf, type Route } from "../sql/lane-hints.ts";
import { Lent } from "../sql/lending.ts";
import { Notes } from "../sql/notes.ts";
import { type Damage, SALVAGE_LIMIT, soundly } from "../sql/salvage.ts";
import { schemaOf } from "../sql/schema.ts";
import { ServerClock } from "../sql/server-clock.ts";
import type { Settings } from "../sql/settings.ts";
import { apply, applyAll, GuardFailed, renew } from "./apply.ts";
import { type Claimed, claim, claimAgain, look } from "./claim.ts";
import type { Connections } from "./clients/pool.ts";
import { type MysqlTransaction, type Session, sessionOf } from "./clients/session.ts";
import { Context } from "./context.ts";
import { prune, tally } from "./counts.ts";
import { setAside } from "./damage.ts";
import { facts, findings } from "./diagnose.ts";
import { isWorthAnother, storeError } from "./errors.ts";
import { find, page } from "./find.ts";
import { held, hold, release } from "./holds.ts";
import { insert, insertAlike, together } from "./insert.ts";
import { KnownLanes } from "./lanes.ts";
import { type Names, namesIn } from "./names.ts";
import type { Source } from "./quotas.ts";
import { advance, schedules } from "./schedules.ts";
import { migrate, planned } from "./schema.ts";
import { LocalSignals } from "./signals.ts";
import { Sweeps, sweep } from "./tokens.ts";

/** How often a claim is repeated that others left nothing of what it saw. */
const CLAIM_TRIES = 5;

type Action<T> = (context: Context) => Promise<T>;

export class MysqlBackend implements contract.QueueBackend<MysqlTransaction> {
  readonly name = "mysql";
  readonly shared = true;
  readonly gathers = true;
  readonly signals: LocalSignals = new LocalSignals();
  readonly schema: NonNullable<contract.QueueBackend["schema"]>;
  readonly #settings: Settings<Connections>;
  readonly #clock: ServerClock;
  readonly #sweeps = new Sweeps();
  readonly #hints = new LaneHints();
  readonly #lanes = new KnownLanes();
  #names: Names;
  readonly #door: Doorway<Connections>;
  readonly #lent: Lent;

  constructor(settings: Settings<Connections>) {
    this.#settings = settings;
    this.#names = this.#namesIn("sidereal");
    this.#clock = new ServerClock(settings);
    this.#lent = new Lent("MySQL", (notes) => this.#tell(notes));
    this.#door = new Doorway({
      name: "The MySQL store",
      place: "database",
      open: (namespace) => this.#open(namespace),
      close: (connections) => this.#close(connections),
      error: storeError,
    });
    this.schema = schemaOf({
      door: this.#door,
      connect: () => settings.connect(settings.timers),
      plan: (connections, namespace) => connections.single((session) => planned(session, namespace)),
      migrate: (connections, namespace) => connections.single((session) => migrate(session, namespace)),
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
    return this.#door.run("read the clock", () => this.#alone((context) => context.time()));
  }

  async insert(drafts: readonly Draft[]): Promise<readonly contract.Insertion[]> {
    return this.#batch("enqueue", drafts, async () => {
      const alike = together(drafts);
      const written = alike && (await this.#alone((context) => insertAlike(context, alike)));
      return written ?? this.#together((context) => insert(context, drafts, alike !== undefined));
    });
  }

  async claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    return this.#door.run("claim", async () => {
      const taken = await this.#claim(request);
      if (taken.length > 0 && this.#sweeps.due()) {
        // Nothing but room depends on it, so no claim may fail because of it.
        await this.#together((context) => sweep(context)).catch(() => {});
      }
      return taken;
    });
  }

  async apply(changes: readonly contract.Change[]): Promise<readonly boolean[]> {
    return this.#batch("write changes", changes, async () => {
      try {
        return await this.#together((context) => applyAll(context, changes));
      } catch (error) {
        if (!(error instanceof GuardFailed)) throw error;
        return this.#together((context) => apply(context, changes));
      }
    });
  }

  async renew(claims: readonly contract.ClaimRef[], lease: Millis): Promise<readonly contract.Renewal[]> {
    return this.#batch("renew leases", claims, () => this.#together((context) => renew(context, claims, lease)));
  }

  async find(query: contract.RecordQuery): Promise<readonly TaskRecord[]> {
    const lanes = query.by === "next" ? this.#hints.between(this.#settings.timers.mono()) : undefined;
    return this.#look("find records", (context, damages) => find(context, query, { damages, lanes }));
  }

  async tally(queues?: readonly string[]): Promise<readonly contract.Tally[]> {
    return this.#door.run("count records", () => this.#alone((context) => tally(context, queues)));
  }

  async page(query: contract.PageQuery): Promise<contract.Page> {
    return this.#look("list records", (context, damages) => page(context, query, damages));
  }

  async prune(query: contract.PruneQuery): Promise<number> {
    return this.#door.run("prune records", () => this.#together((context) => prune(context, query)));
  }

  async schedules(query: contract.ScheduleQuery): Promise<readonly contract.ScheduleRow[]> {
    return this.#door.run("read schedules", () => this.#alone((context) => schedules(context, query)));
  }

  async advance(changes: readonly contract.ScheduleChange[]): Promise<readonly boolean[]> {
    return this.#batch("advance schedules", changes, () => this.#together((context) => advance(context, changes)));
  }

  async hold(name: string, holder: string, options: contract.HoldOptions = {}): Promise<contract.Hold> {
    return this.#door.run("take a hold", () => this.#together((context) => hold(context, name, holder, options)));
  }

  async release(name: string, holder: string): Promise<boolean> {
    return this.#door.run("release a hold", () => this.#alone((context) => release(context, name, holder)));
  }

  async held(prefix: string): Promise<readonly contract.Hold[]> {
    return this.#door.run("list holds", () => this.#alone((context) => held(context, prefix)));
  }

  /**
   * A transaction of its own for the body, which is given the connection of `mysql2/promise`. READ COMMITTED.
   * @throws TRANSACTION_UNSUPPORTED where there is no connection to spare
   */
  async transaction<T>(body: (tx: MysqlTransaction) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#lent.lend(this.#door.enter().lending, body, signal);
  }

  diagnose(): Promise<readonly contract.Finding[]> {
    return this.#door.run("look at the server", async () =>
      findings(await this.#together((context) => facts(context))),
    );
  }

  /** Joins the caller's transaction, at the isolation level it has. Nobody is woken: whether it commits is not known here. */
  within(tx: MysqlTransaction): Pick<contract.QueueBackend, "insert" | "apply"> {
    const run = async <T>(doing: string, action: Action<T>): Promise<T> => {
      this.#door.enter();
      try {
        const session = sessionOf(tx, doing);
        // After a deadlock the server has rolled back by itself, and each statement would be committed for itself.
        const { isOpen } = await session.write("do 0");
        if (isOpen === false)
          throw noneOpen(doing, "this connection of mysql2 has no open transaction, or not any more");
        return await action(this.#context(session, this.#lent.of(tx)));
      } catch (error) {
        throw storeError(error, doing);
      }
    };
    return {
      insert: (drafts) => run("enqueue in your transaction", (context) => insert(context, drafts)),
      apply: (changes) => run("write changes in your transaction", (context) => apply(context, changes)),
    };
  }

  async #open(namespace: string): Promise<Connections> {
    this.#names = this.#namesIn(namespace);
    const { store } = this.#names;
    const connections = await this.#settings.connect(this.#settings.timers);
    try {
      // Only what is to be migrated is waited for as long as it takes.
      const due = await connections.alone((session) => planned(session, namespace));
      if (due.statements.length > 0) await connections.single((session) => migrate(session, namespace));
      const of = await connections.transaction(async (session) => {
        const context = this.#context(session);
        const [row] = await session.query(`select clock, @@hostname, @@port, database() from ${store} for update`);
        context.heard(row?.[0]);
        await session.write(`update ${store} set clock = greatest(clock, ${context.now}) where one = 1`);
        return JSON.stringify([row?.slice(1), namespace]);
      });
      this.signals.attach(of);
      return connections;
    } catch (error) {
      await connections.close().catch(() => {});
      throw error;
    }
  }

  async #close(connections: Connections): Promise<void> {
    this.signals.detach();
    await connections.close();
  }

  #namesIn(namespace: string): Names {
    return namesIn(namespace, this.#settings.clock !== undefined);
  }

  async #claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    const hints = this.#hints;
    const { timers } = this.#settings;
    let damaged = 0;
    for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
      const route = hints.of(request, timers.mono());
      const taken = route.kind === "told" ? await this.#goOn(request, route.lanes) : await this.#seek(request, route);
      if (taken === "nothing") return [];
      if (typeof taken === "string") {
        hints.claimed([], true);
        // Behind what was damaged there may be sound records: many tries for many damaged ones, though not for ever.
        if (taken === "damaged" && damaged++ < SALVAGE_LIMIT) tries -= 1;
        continue;
      }
      hints.claimed(taken.map(laneOf), taken.length < request.limit);
      if (taken.length > 0) return taken;
    }
    return [];
  }

  /** Claims after a look at what there is. */
  async #seek(request: contract.ClaimRequest, route: Exclude<Route, { kind: "told" }>): Promise<Claimed | "nothing"> {
    const { timers } = this.#settings;
    const from = timers.mono();
    const seen = await this.#alone((context) => look(context, request, route));
    if (route.kind === "everywhere") this.#hints.looked(request, seen.all, from, timers.mono());
    else this.#hints.met(seen.all);
    if (!seen.known && seen.lanes.length === 0) return "nothing";
    const taken = await this.#together((context) =>
      seen.known ? claimAgain(context, request, seen) : claim(context, request, seen),
    );
    return taken.length === 0 && seen.lanes.length === 0 ? "nothing" : taken;
  }

  /** Claims where the last claims left off. */
  #goOn(request: contract.ClaimRequest, told: readonly Source[]): Promise<Claimed> {
    return this.#together(async (context) => {
      const now = await context.time();
      return claim(context, request, { now, known: false, lanes: told });
    });
  }

  /** A read that may meet damaged rows. */
  #look<T>(doing: string, action: (context: Context, damages: Damage[]) => Promise<T>): Promise<T> {
    return this.#door.run(doing, () =>
      soundly(
        (damages: Damage[]) => this.#alone((context) => action(context, damages)),
        (damages) => this.#together((context) => setAside(context, damages)),
      ),
    );
  }

  /** A write of a list; an empty one asks nobody. */
  #batch<T>(doing: string, list: readonly unknown[], action: () => Promise<T[]>): Promise<T[]> {
    return this.#door.run(doing, list.length === 0 ? async () => [] : action);
  }

  /** Statements that stand each for itself. */
  #alone<T>(action: Action<T>): Promise<T> {
    return this.#tried((run) => this.#door.held.alone(run), action);
  }

  /** Statements that stand or fall together. */
  #together<T>(action: Action<T>): Promise<T> {
    return this.#tried((run) => this.#door.held.transaction(run), action);
  }

  /** Tries again where others were in the way, and tells what was done once it is done. */
  async #tried<T>(connect: (run: (session: Session) => Promise<T>) => Promise<T>, action: Action<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const notes = new Notes();
      try {
        const result = await connect((session) => action(this.#context(session, notes)));
        this.#tell(notes);
        return result;
      } catch (error) {
        if (!isWorthAnother(error, tries)) throw error;
      }
    }
  }

  #tell(notes: Notes): void {
    this.#hints.returned(notes.readyAt);
    this.signals.noted(notes);
  }

  #context(session: Session, notes?: Notes): Context {
    return new Context(session, { names: this.#names, clock: this.#clock, lanes: this.#lanes }, notes);
  }
}
