/** A dependency provider that can be watched: what was acquired, what was released, and with which words. */
import {
  type AttemptFacts,
  type Dependency,
  type DependencyProvider,
  dependency,
  type ScopeOutcome,
} from "../../../src/core/dependency.ts";
import { errorName } from "../../../src/core/failure.ts";
import type { SiderealError } from "../../../src/model/errors.ts";

export interface Client {
  readonly number: number;
  /** Whether it may still be used. */
  open: boolean;
}

export const Db: Dependency<Client> = dependency<Client>("stage.db");

export class Pool {
  /** In order: `open`, `acquire 1`, `release 1 ok`, `release 2 <code or name of the error>`, `close`. */
  readonly calls: string[] = [];
  readonly outcomes: ScopeOutcome[] = [];
  readonly clients: Client[] = [];
  readonly #acquire: (attempt: AttemptFacts) => Promise<unknown> | undefined;
  readonly #release: (outcome: ScopeOutcome) => Promise<void> | undefined;

  constructor(
    hooks: {
      readonly acquire?: (attempt: AttemptFacts) => Promise<unknown> | undefined;
      readonly release?: (outcome: ScopeOutcome) => Promise<void> | undefined;
    } = {},
  ) {
    this.#acquire = hooks.acquire ?? (() => undefined);
    this.#release = hooks.release ?? (() => undefined);
  }

  get provider(): DependencyProvider {
    return {
      open: () => void this.calls.push("open"),
      close: () => void this.calls.push("close"),
      acquire: async (attempt) => {
        const client = { number: this.clients.length + 1, open: true };
        this.clients.push(client);
        this.calls.push(`acquire ${client.number}`);
        await this.#acquire(attempt);
        return {
          values: [Db.is(client)],
          release: async (outcome) => {
            client.open = false;
            this.outcomes.push(outcome);
            this.calls.push(`release ${client.number} ${wordsOf(outcome)}`);
            await this.#release(outcome);
            return true as unknown as undefined;
          },
        };
      },
    };
  }

  /** Calls of one kind. */
  count(which: "acquire" | "release"): number {
    return this.calls.filter((call) => call.startsWith(which)).length;
  }
}

function wordsOf(outcome: ScopeOutcome): string {
  if (outcome.ok) return "ok";
  return (outcome.error as Partial<SiderealError> | null)?.code ?? errorName(outcome.error) ?? "?";
}
