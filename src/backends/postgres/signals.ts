/**
 * Wake-ups. Writes of this backend are told at once and precisely; other processes hear of them by NOTIFY, sent after the
 * commit, at most once per window: a NOTIFY within each commit would cost more than the commit. While somebody
 * subscribes, one connection listens, proves every few seconds that it hears itself, and is replaced when it does not.
 */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type { Hint, Signals } from "../../contracts/signals.ts";
import { recurring } from "../../host/recurring.ts";
import type { Millis } from "../../model/record.ts";
import type { Notes } from "../sql/notes.ts";
import type { Session } from "../sql/port.ts";
import type { Listener, Listening } from "./clients/listening.ts";

/** At most one notification is sent in so long. */
const WINDOW: Millis = 10;

/** At most so many ended records are named; of more, nobody learns more than that there were some. */
const NAMED = 100;

/** How often the listening connection is looked after, how often it proves itself, and how soon it must have heard. */
const LOOK: Millis = 500;
const PROOF: Millis = 10_000;
const PATIENCE: Millis = 5_000;

/** How long a closing store waits for its last notification to leave. */
const FAREWELL: Millis = 1_000;

/** Delays before a lost connection is made anew grow from the first to the second. */
const SOONEST: Millis = 250;
const LATEST: Millis = 30_000;

/** A hint need not outlive a crash of the server: its commit, one in each window, waits for no disk. */
const NOTIFY = "select set_config('synchronous_commit', 'off', true), pg_notify($1::text, $2::text)::text";

/** What a notification says; short keys, since it has 8,000 bytes. */
interface Message {
  /** Which store sent it. */
  readonly by: string;
  readonly work?: true;
  readonly cancel?: true;
  /** Ended records; empty: more than can be named. */
  readonly ended?: readonly string[];
  /** It only proves that it arrives. */
  readonly proof?: true;
}

interface Attached {
  readonly session: Session & Partial<Listening>;
  readonly channel: string;
  readonly by: string;
}

export class NotifySignals implements Signals {
  readonly #timers: Clock;
  readonly #recurring: typeof recurring;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #attached: Attached | undefined;
  #work = false;
  #cancel = false;
  #ended: string[] = [];
  #sending: Promise<unknown> | undefined;
  #sentAt: Millis = Number.NEGATIVE_INFINITY;
  #cancelTimer: Cancel = () => {};
  #waiting = false;
  #stopLooking: Cancel | undefined;
  #listener: Listener | undefined;
  #connecting: Promise<void> | undefined;
  #nextTry: Millis = 0;
  #delay: Millis = SOONEST;
  /** When the listening connection was last heard, and when it was asked to prove itself; 0: it was not. */
  #heardAt: Millis = 0;
  #askedAt: Millis = 0;

  /** @param recur - Makes the look after the listening connection recur; tests replace it. */
  constructor(timers: Clock, recur: typeof recurring = recurring) {
    this.#timers = timers;
    this.#recurring = recur;
  }

  subscribe(listener: (hint: Hint) => void): Cancel {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    this.#start();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#stop();
    };
  }

  /** The store is open. @param by - Tells it from every other store. */
  attach(session: Session & Partial<Listening>, namespace: string, by: string): void {
    this.#attached = { session, channel: `sidereal:${namespace}`, by };
    this.#start();
  }

  /** The store closes: what is to be told is sent, the listeners stay for its next opening. */
  async detach(): Promise<void> {
    this.#cancelTimer();
    this.#waiting = true;
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#timers.after(FAREWELL, resolve);
    });
    await Promise.race([Promise.resolve(this.#sending).then(() => this.#send()), late]);
    cancel();
    this.#waiting = false;
    this.#attached = undefined;
    this.#stop();
  }

  /** Tells of an own write that is committed. */
  noted({ work, cancel, ended }: Notes): void {
    if (!(work || cancel || ended.length > 0)) return;
    if (ended.length > 0) this.#emit({ about: "outcome", ids: ended });
    if (work) this.#emit({ about: "work" });
    if (cancel) this.#emit({ about: "cancel" });
    this.#work ||= work;
    this.#cancel ||= cancel;
    if (this.#ended.length <= NAMED) this.#ended.push(...ended);
    this.#plan();
  }

  #emit(hint: Hint): void {
    if (this.#attached === undefined) return;
    for (const listener of [...this.#listeners]) listener(hint);
  }

  #plan(): void {
    if (this.#waiting || this.#sending !== undefined) return;
    this.#waiting = true;
    const send = (): void => {
      this.#waiting = false;
      void this.#send();
    };
    const left = this.#sentAt + WINDOW - this.#timers.mono();
    if (left > 0) this.#cancelTimer = this.#timers.after(left, send);
    else this.#timers.soon(send);
  }

  /** Sends what is to be told; a lost notification costs others time, and nothing else. */
  async #send(): Promise<void> {
    const attached = this.#attached;
    if (attached === undefined || !(this.#work || this.#cancel || this.#ended.length > 0)) return;
    const ended = this.#ended.length > NAMED ? [] : this.#ended;
    const message: Message = {
      by: attached.by,
      ...(this.#work && { work: true }),
      ...(this.#cancel && { cancel: true }),
      ...(this.#ended.length > 0 && { ended }),
    };
    this.#work = false;
    this.#cancel = false;
    this.#ended = [];
    this.#sentAt = this.#timers.mono();
    this.#sending = this.#notify(this.#listener?.session ?? attached.session, message).finally(() => {
      this.#sending = undefined;
      if (this.#work || this.#cancel || this.#ended.length > 0) this.#plan();
    });
    await this.#sending;
  }

  async #notify(session: Session, message: Message): Promise<void> {
    const text = JSON.stringify(message);
    const payload = text.length < 7_500 ? text : JSON.stringify({ ...message, ended: [] });
    await session.query(NOTIFY, [this.#attached?.channel ?? "", payload]).catch(() => {});
  }

  /** Listens if anybody wants to hear, the store is open, and its client can. */
  #start(): void {
    if (this.#stopLooking !== undefined || this.#listeners.size === 0) return;
    if (this.#attached?.session.listen === undefined) return;
    this.#nextTry = 0;
    this.#delay = SOONEST;
    this.#stopLooking = this.#recurring(LOOK, () => this.#look());
    this.#look();
  }

  #stop(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.#listener?.stop();
    this.#listener = undefined;
  }

  #look(): void {
    const now = this.#timers.mono();
    if (this.#listener === undefined) {
      if (this.#connecting === undefined && now >= this.#nextTry) {
        this.#connecting = this.#connect().finally(() => {
          this.#connecting = undefined;
        });
      }
      return;
    }
    if (this.#askedAt > this.#heardAt) {
      if (now - this.#askedAt > PATIENCE) this.#lose(this.#listener);
      return;
    }
    if (now - this.#heardAt < PROOF || this.#attached === undefined) return;
    this.#askedAt = now;
    void this.#notify(this.#listener.session, { by: this.#attached.by, proof: true });
  }

  async #connect(): Promise<void> {
    const attached = this.#attached;
    const { session, channel } = attached ?? {};
    if (session?.listen === undefined || channel === undefined) return;
    let own: Listener | undefined;
    let isLost = false;
    const lost = (): void => {
      isLost = true;
      if (own !== undefined) this.#lose(own);
    };
    try {
      own = await session.listen((payload) => this.#heard(payload), lost, channel);
    } catch {
      this.#later();
      return;
    }
    if (own === undefined) return;
    if (this.#attached !== attached || this.#stopLooking === undefined || isLost) {
      own.stop();
      if (isLost) this.#later();
      return;
    }
    this.#listener = own;
    this.#delay = SOONEST;
    this.#heardAt = this.#timers.mono();
    this.#askedAt = 0;
    // What happened before it listened was not heard.
    this.#emit({ about: "any" });
  }

  #lose(listener: Listener): void {
    if (this.#listener !== listener) return;
    this.#listener = undefined;
    listener.stop();
    this.#later();
  }

  #later(): void {
    this.#nextTry = this.#timers.mono() + this.#delay;
    this.#delay = Math.min(this.#delay * 2, LATEST);
  }

  #heard(payload: string): void {
    this.#heardAt = this.#timers.mono();
    let message: Partial<Message>;
    try {
      message = JSON.parse(payload) as Partial<Message>;
    } catch {
      message = { work: true };
    }
    if (message.by === this.#attached?.by || message.proof) return;
    if (message.ended !== undefined) {
      this.#emit(message.ended.length > 0 ? { about: "outcome", ids: message.ended } : { about: "any" });
    }
    if (message.work) this.#emit({ about: "work" });
    if (message.cancel) this.#emit({ about: "cancel" });
  }
}
