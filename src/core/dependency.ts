/**
 * Dependencies: what an application hands to its handlers, such as a database client or a mail sender. A token names one
 * and carries its type; a provider or a resolver gives its value for each attempt.
 */
import { SiderealError } from "../model/errors.ts";
import type { Json } from "../model/json.ts";
import { checkName } from "../model/names.ts";
import { callSite } from "./call-site.ts";

declare const VALUE: unique symbol;

/** Names one dependency and carries the type of its value; made by `dependency`. */
export interface Dependency<Value> {
  readonly name: string;
  /** File and line that defined it, as far as the runtime tells. */
  readonly definedAt: string;
  /** Says what the dependency is, for a provider's or resolver's values. */
  readonly is: (value: Value) => Provided;
  /** Exists for the compiler alone. */
  readonly [VALUE]?: Value;
}

/** A dependency and its value; made by `is`. */
export interface Provided {
  readonly dependency: Pick<Dependency<never>, "name" | "definedAt">;
  readonly value: unknown;
}

/** One attempt, as its dependencies may depend on it. */
export interface AttemptFacts {
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly metadata: Readonly<Record<string, Json>>;
  readonly tags: readonly string[];
  /** Aborts when the attempt should stop; give it to whatever may wait. */
  readonly signal: AbortSignal;
}

/** How an attempt went whose dependencies are released. */
export type ScopeOutcome =
  /** The handler returned something that can be stored, and was not told before that this no longer counts. */
  | { readonly ok: true }
  /** What the handler threw, or why its attempt was stopped: timeout, cancel, lost lease, shutdown, snooze. */
  | { readonly ok: false; readonly error: unknown };

/** What one attempt has acquired. */
export interface DependencyScope {
  /** Read once, right after `acquire`. */
  readonly values: Iterable<Provided>;
  /**
   * Called once, when the handler has really ended, whatever it did. If it throws after `{ ok: true }` the attempt
   * fails with that error; after any other outcome the error is logged and dropped. What it returns means nothing.
   */
  release(outcome: ScopeOutcome): Promise<void> | void;
}

/** Dependencies that each attempt has for itself, such as a connection or a transaction. */
export interface DependencyProvider {
  /** Called when a service opens, before its store; if it throws, the service does not open. */
  open?(): Promise<void> | void;
  /** Called when a service has closed its store, or could not open it. */
  close?(): Promise<void> | void;
  /**
   * Called once per attempt, inside its timeout. What it throws counts as thrown by the handler; `release` then is not
   * called. If the attempt was stopped meanwhile, the scope is released at once and the handler is not called.
   */
  acquire(attempt: AttemptFacts): Promise<DependencyScope> | DependencyScope;
}

/**
 * Dependencies without an end, such as a client that all attempts share. Awaited before each attempt, inside its
 * timeout; what it throws counts as thrown by the handler.
 */
export type DependencyResolver = (attempt: AttemptFacts) => Promise<Iterable<Provided>> | Iterable<Provided>;

/** Where handlers' dependencies come from. The resolver is asked first; where both give one, the provider's counts. */
export interface DependencyConfig {
  readonly provider?: DependencyProvider;
  readonly resolver?: DependencyResolver;
}

/**
 * Makes the token of a dependency: `const Db = dependency<Database>("db")`, then `ctx.use(Db)` in a handler.
 * @param name - 1 to 200 letters, digits and `. _ : -`. Two places that define one name have two dependencies.
 * @throws NAME_INVALID
 */
export function dependency<Value>(name: string): Dependency<Value> {
  checkName(name, "The dependency's name");
  const definedAt = callSite(dependency);
  const token: Dependency<Value> = { name, definedAt, is: (value) => ({ dependency: token, value }) };
  return Object.freeze(token);
}

/** Whether an unknown value is a dependency with its value, of whichever copy of this package. */
export function isProvided(entry: unknown): entry is Provided {
  const { dependency: token } = (entry ?? {}) as Partial<Provided>;
  return typeof token?.name === "string" && typeof token.definedAt === "string";
}

/** Calls a provider's own `open` or `close`. @throws DEPENDENCY_FAILED */
export async function callProvider(provider: DependencyProvider | null, which: "open" | "close"): Promise<void> {
  try {
    await provider?.[which]?.();
  } catch (cause) {
    throw new SiderealError("DEPENDENCY_FAILED", `dependencies.provider.${which}() threw`, { cause });
  }
}
