/** Fault injection: a backend behind a bad network. What it loses, delays or repeats is a script or a matter of chance. */
import type { Clock, Random } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import type { Hint, Signals } from "../contracts/signals.ts";
import { systemClock } from "../host/clock.ts";
import { type ErrorCode, SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";
import { type InterceptOptions, intercepted, type StoreCall, type StoreMethod } from "./intercept.ts";
import { seededRandom } from "./seeded-random.ts";

/** What happens to one call; the parts combine. */
export interface Fault {
  /** The request takes so long to arrive. */
  readonly delayRequest?: Millis;
  /** The answer takes so long to come back. */
  readonly delayReply?: Millis;
  /** `request`: the store never sees the call. `reply`: the store does what was asked, and the caller does not learn it. */
  readonly lose?: "request" | "reply";
  /** The caller of a lost call sees no error but nothing, for ever; without `lose` the request is lost. */
  readonly hang?: true;
  /** The error's code; default STORE_UNAVAILABLE for a lost request, STORE_TIMEOUT for a lost reply. */
  readonly code?: ErrorCode;
  /** A driver sends the call twice and gives the second answer, so long after the first. */
  readonly resend?: Millis;
  /** The network delivers the call a second time, so long after the first; nobody hears that answer. */
  readonly duplicate?: Millis;
}

/** A call as a script sees it. */
export interface FaultCall extends StoreCall {
  /** 1 for the first call of this method. */
  readonly nth: number;
  /** 1 for the first call of any method. */
  readonly total: number;
}

/** Chances, 0 to 1, each on its own. */
export interface FaultRates {
  readonly loseRequest?: number;
  readonly loseReply?: number;
  readonly hang?: number;
  readonly delay?: number;
  /** Longest delay; default 100 ms. */
  readonly longestDelay?: Millis;
  readonly duplicate?: number;
}

export interface SignalFaults {
  /** Chance that a hint is dropped. */
  readonly drop?: number;
  /** Chance that a hint comes twice. */
  readonly duplicate?: number;
  /** Longest delay of a hint; hints may overtake each other. */
  readonly delay?: Millis;
}

export interface FaultPlan {
  /** A script: asked for each call; nothing means no fault. */
  readonly onCall?: (call: FaultCall) => Fault | null | undefined;
  /** Chances per method; `every` counts for the methods that are not named. Asked where the script gives nothing. */
  readonly rates?: Partial<Readonly<Record<StoreMethod | "every", FaultRates>>>;
  readonly signals?: SignalFaults;
  /** For delays; default the process' own. */
  readonly clock?: Clock;
  /** For chances; default `seededRandom(1)`. */
  readonly random?: Random;
  /** Whether closing leaves the store behind it open; default false. */
  readonly keepOpen?: boolean;
}

/** How many calls were hit, by what hit them. */
export interface FaultCounts {
  loseRequest: number;
  loseReply: number;
  hang: number;
  delay: number;
  resend: number;
  duplicate: number;
  signals: number;
}

export type FaultyBackend<Tx = never> = QueueBackend<Tx> & { readonly injected: Readonly<FaultCounts> };

/** The backend behind a bad network, as the plan says; without a plan it is the backend itself. */
export function faulty<Tx = never>(backend: QueueBackend<Tx>, plan: FaultPlan = {}): FaultyBackend<Tx> {
  const clock = plan.clock ?? systemClock;
  const random = plan.random ?? seededRandom(1);
  const injected = { loseRequest: 0, loseReply: 0, hang: 0, delay: 0, resend: 0, duplicate: 0, signals: 0 };
  const nth = new Map<StoreMethod, number>();
  let total = 0;
  const choose = (call: StoreCall): Fault => {
    total += 1;
    const own = (nth.get(call.method) ?? 0) + 1;
    nth.set(call.method, own);
    const scripted = plan.onCall?.({ ...call, nth: own, total });
    return scripted ?? drawn(plan.rates?.[call.method] ?? plan.rates?.every ?? {}, random);
  };
  const options: InterceptOptions = {
    ...(plan.keepOpen === undefined ? {} : { keepOpen: plan.keepOpen }),
    ...(backend.signals === undefined || plan.signals === undefined
      ? {}
      : { signals: faultySignals(backend.signals, plan.signals, { clock, random, injected }) }),
  };
  const door = intercepted(
    backend,
    (call, send) => {
      const fault = choose(call);
      count(injected, fault);
      return suffer(fault, `${backend.name}: ${call.method}`, send, clock);
    },
    options,
  );
  return Object.assign(door, { injected });
}

async function suffer<T>(fault: Fault, what: string, send: () => Promise<T>, clock: Clock): Promise<T> {
  await pause(clock, fault.delayRequest);
  if (fault.lose === "request" || (fault.hang && fault.lose === undefined))
    return lost(fault, `${what}: the request was lost`, "STORE_UNAVAILABLE");
  if (fault.duplicate !== undefined) {
    clock.after(fault.duplicate, () => {
      send().catch(() => {});
    });
  }
  let answer = await send();
  if (fault.resend !== undefined) {
    await pause(clock, fault.resend);
    answer = await send();
  }
  await pause(clock, fault.delayReply);
  return fault.lose === "reply" ? lost(fault, `${what}: the reply was lost`, "STORE_TIMEOUT") : answer;
}

function lost(fault: Fault, what: string, code: ErrorCode): Promise<never> {
  if (fault.hang) return new Promise<never>(() => {});
  throw new SiderealError(fault.code ?? code, what);
}

async function pause(clock: Clock, delay: Millis | undefined): Promise<void> {
  if (delay !== undefined) await new Promise<void>((resolve) => clock.after(delay, resolve));
}

function drawn(rates: FaultRates, random: Random): Fault {
  const hit = (rate: number | undefined): boolean => rate !== undefined && rate > 0 && random.next() < rate;
  const longest = rates.longestDelay ?? 100;
  const fault: { -readonly [K in keyof Fault]: Fault[K] } = {};
  if (hit(rates.loseRequest)) fault.lose = "request";
  else if (hit(rates.loseReply)) fault.lose = "reply";
  if (hit(rates.hang)) {
    fault.lose ??= random.next() < 0.5 ? "request" : "reply";
    fault.hang = true;
  }
  if (hit(rates.delay)) {
    fault.delayRequest = random.next() * longest;
    fault.delayReply = random.next() * longest;
  }
  if (hit(rates.duplicate)) fault.duplicate = random.next() * longest;
  return fault;
}

function count(injected: FaultCounts, fault: Fault): void {
  if (fault.hang) injected.hang += 1;
  else if (fault.lose === "request") injected.loseRequest += 1;
  else if (fault.lose === "reply") injected.loseReply += 1;
  if (fault.delayRequest !== undefined || fault.delayReply !== undefined) injected.delay += 1;
  if (fault.resend !== undefined) injected.resend += 1;
  if (fault.duplicate !== undefined) injected.duplicate += 1;
}

function faultySignals(
  signals: Signals,
  faults: SignalFaults,
  { clock, random, injected }: { clock: Clock; random: Random; injected: FaultCounts },
): Signals {
  const { drop = 0, duplicate = 0, delay = 0 } = faults;
  return {
    subscribe: (listener) => {
      let listening = true;
      const tell = (hint: Hint): void => {
        if (delay === 0) listener(hint);
        else
          clock.after(random.next() * delay, () => {
            if (listening) listener(hint);
          });
      };
      const cancel = signals.subscribe((hint) => {
        if (drop > 0 && random.next() < drop) {
          injected.signals += 1;
          return;
        }
        tell(hint);
        if (duplicate > 0 && random.next() < duplicate) tell(hint);
      });
      return () => {
        listening = false;
        cancel();
      };
    },
  };
}
