/** The dependencies of one attempt: asked for before its handler is called, released when it has ended. */
import { SiderealError } from "../model/errors.ts";
import {
  type AttemptFacts,
  type Dependency,
  type DependencyProvider,
  type DependencyResolver,
  type DependencyScope,
  isProvided,
  type Provided,
  type ScopeOutcome,
} from "./dependency.ts";

/** The configuration's sources; at least one is there. */
export interface DependencySources {
  readonly provider: DependencyProvider | null;
  readonly resolver: DependencyResolver | null;
}

export class Provision {
  readonly #attempt: AttemptFacts;
  readonly #values = new Map<string, Provided>();
  #scope: DependencyScope | null = null;
  #released = false;

  constructor(attempt: AttemptFacts) {
    this.#attempt = attempt;
  }

  /** Asks the resolver, then the provider. @throws what they throw; DEPENDENCY_FAILED when their answer is of no use */
  async fill({ resolver, provider }: DependencySources): Promise<void> {
    const attempt = this.#attempt;
    if (resolver !== null) this.#keep(await resolver(attempt), "resolver");
    if (provider === null || attempt.signal.aborted) return;
    const scope: unknown = await provider.acquire(attempt);
    if (!isScope(scope)) throw this.#useless("provider.acquire", "an object with values and release");
    this.#scope = scope;
    this.#keep(scope.values, "provider.acquire");
  }

  /** The value of a dependency. @throws DEPENDENCY_UNKNOWN */
  use<Value>(wanted: Dependency<Value>): Value {
    const found = this.#values.get(wanted.name);
    if (found !== undefined && (found.dependency === wanted || found.dependency.definedAt === wanted.definedAt))
      return found.value as Value;
    throw unknownDependency(this.#attempt, wanted, this.#why(found));
  }

  /** Releases what was acquired, if anything; only the first call does. @throws what the scope's `release` throws */
  async release(outcome: ScopeOutcome): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#values.clear();
    await this.#scope?.release(outcome);
  }

  #why(found: Provided | undefined): string {
    if (this.#released) return "they were released when the attempt ended";
    if (found !== undefined) return `one of that name is provided, but it was defined at ${found.dependency.definedAt}`;
    return this.#values.size === 0 ? "nothing is provided" : `provided are ${[...this.#values.keys()].join(", ")}`;
  }

  #keep(values: unknown, source: string): void {
    if (typeof (values as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== "function")
      throw this.#useless(source, "values that can be iterated");
    for (const entry of values as Iterable<unknown>) {
      if (!isProvided(entry)) throw this.#useless(source, "values made by a dependency's is()");
      this.#values.set(entry.dependency.name, entry);
    }
  }

  #useless(source: string, expected: string): SiderealError {
    const { taskName, id } = this.#attempt;
    return new SiderealError(
      "DEPENDENCY_FAILED",
      `Task ${taskName} (${id}): dependencies.${source} gave no ${expected}`,
    );
  }
}

/** A handler asked for what it cannot have. */
export function unknownDependency(
  { taskName, id }: Pick<AttemptFacts, "taskName" | "id">,
  wanted: Pick<Dependency<never>, "name">,
  why: string,
): SiderealError {
  return new SiderealError("DEPENDENCY_UNKNOWN", `Task ${taskName} (${id}) has no dependency ${wanted.name}: ${why}`);
}

function isScope(value: unknown): value is DependencyScope {
  return typeof value === "object" && value !== null && typeof (value as DependencyScope).release === "function";
}
