/** A store whose every claim, finish and recovery is written to the ledger, and where armed failpoints strike. */
import type { Change, ClaimRequest, QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { Draft } from "../../src/model/record.ts";
import type { EventName, Facts, Ledger } from "./ledger.ts";
import type { Failpoint } from "./orders.ts";

export type Store = QueueBackend<unknown>;

/** Where this process dies next. */
export class Failpoints {
  readonly #ledger: Ledger;
  readonly #armed = new Map<Failpoint, number>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** @param time - 1: the next time. */
  arm(point: Failpoint, time = 1): void {
    this.#armed.set(point, time);
  }

  /** Kills this process if the place is armed and the call is of the kind that it is armed for. */
  reached(point: Failpoint, counts = true): void {
    const time = this.#armed.get(point);
    if (!counts || time === undefined) return;
    this.#armed.set(point, time - 1);
    if (time > 1) return;
    this.#ledger.write("failpoint", { extra: [point] });
    process.kill(process.pid, "SIGKILL");
  }
}

type Role = "finish" | "lapse" | "other";

function roleOf({ from, to, lapsed }: Change): Role {
  if (lapsed) return "lapse";
  return from.state === "running" && to?.state !== "running" ? "finish" : "other";
}

/** A line per change: state and version that it leads to, and the claim it was decided under. */
function factsOf({ from, to }: Change): Facts {
  const extra = [to?.state ?? "removed", from.version + 1, from.claim ?? "-"];
  return { id: from.id, attempt: from.attempt, fence: from.startedAt ?? 0, extra };
}

/** The store, each of whose calls is written down with what came of it. */
function timed(store: Store, ledger: Ledger): Store {
  let calls = 0;
  const told = async <T>(verb: string, ask: () => Promise<T>): Promise<T> => {
    calls += 1;
    const call = calls;
    ledger.write("ask", { extra: [call, verb] });
    let outcome = "ok";
    try {
      return await ask();
    } catch (error) {
      outcome = codeOf(error);
      throw error;
    } finally {
      ledger.write("told", { extra: [call, outcome] });
    }
  };
  const own: Partial<Store> = {
    claim: (request) => told("claim", () => store.claim(request)),
    apply: (changes) => told("apply", () => store.apply(changes)),
    renew: (claims, lease) => told("renew", () => store.renew(claims, lease)),
  };
  return over(store, own);
}

/** The store with some of its methods replaced. */
function over(store: Store, own: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof Store];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** The store, watched. */
export function witnessed(asked: Store, ledger: Ledger, failpoints: Failpoints): Store {
  const store = timed(asked, ledger);
  const own: Partial<Store> = {
    insert: async (drafts: readonly Draft[]) => {
      failpoints.reached("insert:before");
      const insertions = await store.insert(drafts);
      failpoints.reached("insert:after");
      return insertions;
    },
    hold: async (...request) => {
      const hold = await store.hold(...request);
      failpoints.reached("hold:after");
      return hold;
    },
    claim: async (request: ClaimRequest) => {
      ledger.write("claim_call", { extra: [request.token] });
      const records = await store.claim(request);
      failpoints.reached("claim:after", records.length > 0);
      if (records.length === 0) ledger.write("claim_none", { extra: [request.token] });
      ledger.writeAll(
        "claim_ok",
        records.map(({ id, attempt, startedAt, version, claim }) => ({
          id,
          attempt,
          fence: startedAt ?? 0,
          extra: ["running", version, claim ?? "-"],
        })),
      );
      return records;
    },
    apply: (changes) => applied(store, ledger, failpoints, changes),
    renew: async (claims, lease) => {
      const sent = Number(process.hrtime.bigint()) / 1e6;
      try {
        const renewals = await store.renew(claims, lease);
        const kept = claims.filter((_, at) => renewals[at]?.state === "held");
        ledger.writeAll(
          "renew_held",
          kept.map(({ id, claim }) => ({ id, extra: [claim, sent] })),
        );
        const lost = claims.filter((_, at) => renewals[at]?.state !== "held");
        ledger.writeAll(
          "renew_lost",
          lost.map(({ id, claim }) => ({ id, extra: [claim] })),
        );
        return renewals;
      } catch (error) {
        ledger.write("renew_error", { extra: [codeOf(error)] });
        throw error;
      }
    },
  };
  return over(store, own);
}

async function applied(
  store: Store,
  ledger: Ledger,
  failpoints: Failpoints,
  changes: readonly Change[],
): Promise<readonly boolean[]> {
  const tell = (role: Role, event: EventName, which: (at: number) => boolean): void =>
    ledger.writeAll(event, changes.filter((change, at) => roleOf(change) === role && which(at)).map(factsOf));
  const completes = changes.some(({ to }) => to?.state === "completed");
  const lapses = changes.some(({ lapsed }) => lapsed);
  failpoints.reached("finish:before", completes);
  failpoints.reached("lapse:before", lapses);
  tell("finish", "finish_call", () => true);
  tell("lapse", "lapse_call", () => true);
  let answers: readonly boolean[];
  try {
    answers = await store.apply(changes);
  } catch (error) {
    tell("finish", "finish_unknown", () => true);
    tell("lapse", "lapse_unknown", () => true);
    throw error;
  }
  failpoints.reached(
    "finish:after",
    changes.some(({ to }, at) => to?.state === "completed" && answers[at]),
  );
  failpoints.reached(
    "lapse:after",
    changes.some(({ lapsed }, at) => lapsed && answers[at]),
  );
  tell("finish", "finish_applied", (at) => answers[at] === true);
  tell("finish", "finish_refused", (at) => answers[at] === false);
  tell("lapse", "lapse_applied", (at) => answers[at] === true);
  tell("lapse", "lapse_refused", (at) => answers[at] === false);
  tell("other", "other_applied", (at) => answers[at] === true);
  return answers;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "unknown";
}
