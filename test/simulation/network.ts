/** The way from one process to the store: it delays, loses, repeats and reorders, and ends where the process ends. */
import type {
  Change,
  ClaimRef,
  ClaimRequest,
  Insertion,
  QueueBackend,
  Renewal,
  ScheduleChange,
} from "../../src/contracts/queue-backend.ts";
import type { Hint, Signals } from "../../src/contracts/signals.ts";
import { SiderealError } from "../../src/model/errors.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import type { Chance } from "../../src/testing/backend-contract/chance.ts";
import { type Fault, type FaultCall, faulty } from "../../src/testing/faulty.ts";
import { intercepted, type StoreCall } from "../../src/testing/intercept.ts";
import { allRecords } from "../../src/testing/records.ts";
import type { ProcessClock } from "./clocks.ts";
import type { Journal } from "./journal.ts";
import type { NetworkFaults } from "./plan.ts";
import type { Witness } from "./witness.ts";

export interface Network {
  readonly store: QueueBackend;
  readonly witness: Witness;
  readonly journal: Journal;
  readonly chance: Chance;
  readonly faults: NetworkFaults;
  /** Whether faults happen at all now. */
  readonly isBad: () => boolean;
  /** How the store cannot be reached from this process now; null: it can. */
  readonly cutOff: (name: string) => "refused" | "silent" | null;
  readonly slowReaper: number;
  /** Whether the store cannot take this lost record back now: its row is damaged, say. */
  readonly isStuck: (id: string) => boolean;
}

/** Calls under way, by method: where a crash hits. */
export type UnderWay = Map<string, number>;

/**
 * The store as one process sees it.
 * @param onClaimed - A claim was answered.
 */
export function connect(
  network: Network,
  name: string,
  clock: ProcessClock,
  underWay: UnderWay,
  onClaimed: () => void,
): QueueBackend {
  const { store, journal, chance } = network;
  const atStore = intercepted(store, (call, send) => witnessed(network, name, call, send), { keepOpen: true });
  const wire = faulty(atStore, { clock: clock.truth, onCall: (call) => fate(network, name, call) });
  const signals: Signals = {
    subscribe: (listener) => {
      let listening = true;
      const cancel = store.signals?.subscribe((hint: Hint) => {
        if (network.isBad() && chance.often(network.faults.dropHints)) {
          journal.fault("hint dropped");
          return;
        }
        clock.truth.after(chance.below(10) / 2, () =>
          clock.run(() => {
            if (listening) listener(hint);
          }),
        );
      });
      return () => {
        listening = false;
        cancel?.();
      };
    },
  };
  let unanswered: string | null = null;
  return intercepted(
    wire,
    (call, send) => {
      if (call.method === "claim") {
        const { token } = call.args[0] as ClaimRequest;
        const fresh = unanswered !== null && unanswered !== token;
        journal.check("I7", !fresh, () => `${name} claims under a new token although the last claim may have worked`);
        unanswered = token;
      }
      underWay.set(call.method, (underWay.get(call.method) ?? 0) + 1);
      const done = (): void => {
        underWay.set(call.method, (underWay.get(call.method) ?? 1) - 1);
      };
      return new Promise((resolve, reject) => {
        if (clock.dead) return;
        send().then(
          (answer) =>
            clock.run(() => {
              done();
              if (call.method === "claim") {
                unanswered = null;
                onClaimed();
              }
              resolve(answer);
            }),
          (error: unknown) =>
            clock.run(() => {
              done();
              reject(error);
            }),
        );
      });
    },
    { signals, keepOpen: true },
  );
}

/** What happens to one call on the wire. */
function fate(network: Network, name: string, call: FaultCall): Fault {
  const fault = fateOf(network, name, call);
  const { delayRequest = 0, delayReply = 0, lose, hang, duplicate, resend } = fault;
  const odd = Math.max(delayRequest, delayReply) > network.faults.latency + 1;
  if (lose ?? duplicate ?? resend ?? (odd ? 1 : undefined)) {
    const all = { delayRequest, delayReply, lose, hang, duplicate, resend };
    const words = Object.entries(all).map(([what, value]) => (value ? ` ${what} ${value}` : ""));
    network.journal.note(name, `${call.method} will suffer:${words.join("")}`);
  }
  return fault;
}

function fateOf(network: Network, name: string, { method, args }: FaultCall): Fault {
  const { chance, faults, journal, isBad, cutOff, slowReaper } = network;
  const delay = (): number => (faults.latency === 0 ? 0.05 : (chance.below(100) / 100) * faults.latency);
  const fault: { -readonly [K in keyof Fault]: Fault[K] } = { delayRequest: delay(), delayReply: delay() };
  const cut = cutOff(name);
  if (cut !== null) {
    journal.fault(`${method} cut off`);
    return { ...fault, lose: "request", ...(cut === "silent" && { hang: true }) };
  }
  if (!isBad()) return fault;
  if (slowReaper > 0 && method === "apply" && (args[0] as readonly Change[]).some(({ lapsed }) => lapsed)) {
    journal.fault("recovery slow");
    fault.delayRequest = (chance.below(1_000) / 1_000) * slowReaper;
  }
  if (chance.often(faults.slow)) {
    journal.fault(`${method} slow`);
    if (chance.often(0.5)) fault.delayRequest = (chance.below(1_000) / 1_000) * faults.slowest;
    else fault.delayReply = (chance.below(1_000) / 1_000) * faults.slowest;
  }
  if (chance.often(faults.loseRequest)) fault.lose = "request";
  else if (chance.often(faults.loseReply)) fault.lose = "reply";
  if (fault.lose !== undefined) {
    journal.fault(`${method} ${fault.lose} lost`);
    if (chance.often(faults.silent)) fault.hang = true;
  }
  if (chance.often(faults.duplicate)) {
    journal.fault(`${method} duplicated`);
    fault.duplicate = (chance.below(1_000) / 1_000) * faults.slowest;
  }
  if (chance.often(faults.resend)) {
    journal.fault(`${method} resent`);
    fault.resend = delay();
  }
  return fault;
}

/** Hands the call to the store, and the outcome to the witness. */
async function witnessed<T>(network: Network, name: string, call: StoreCall, send: () => Promise<T>): Promise<T> {
  const { store, witness } = network;
  const now = await store.now();
  if (call.method === "apply") {
    const stuck = (call.args[0] as readonly Change[]).find(({ from, lapsed }) => lapsed && network.isStuck(from.id));
    if (stuck !== undefined) throw new SiderealError("STORE_FAILED", `the row of ${stuck.from.id} cannot be written`);
  }
  const answer = await send();
  const [first] = call.args;
  switch (call.method) {
    case "insert":
      witness.inserted(name, answer as readonly Insertion[]);
      break;
    case "claim":
      witness.claimed(name, first as ClaimRequest, answer as readonly TaskRecord[], now);
      break;
    case "apply":
      witness.applied(name, first as readonly Change[], answer as readonly boolean[], now);
      break;
    case "renew":
      witness.renewed(name, first as readonly ClaimRef[], answer as readonly Renewal[], now);
      break;
    case "advance":
      witness.advanced(name, first as readonly ScheduleChange[], answer as readonly boolean[], now);
      break;
    case "prune":
      if ((answer as number) > 0) {
        const known = witness.present();
        const left = await idsOf(store);
        witness.pruned(known.filter((id) => !left.has(id)));
      }
      break;
  }
  return answer;
}

async function idsOf(store: QueueBackend): Promise<ReadonlySet<string>> {
  return new Set((await allRecords(store)).map(({ id }) => id));
}
