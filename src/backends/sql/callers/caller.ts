/**
 * Transactions of the callers' own, as query builders have them: what they look like, told by their public members, and how a
 * statement of ours is run in each. None of the libraries is loaded here, and nothing of theirs is in our types.
 */

/** The server's language: query builders number the parameters or do not, and answer by other shapes. */
export type Dialect = "postgres" | "mysql";

/** A value as it is handed over: text, or its bytes. */
export type CallerValue = string | Uint8Array | null;

/** What a statement did. */
export interface CallerAnswer {
  /** As objects or lists, their columns in order. */
  readonly rows: readonly unknown[];
  /** How many rows were found or written, where the library says it; 0 otherwise. */
  readonly affected: number;
  /** Whether a transaction was open when the server answered, where the library says it. */
  readonly isOpen?: boolean;
}

/** Runs statements in one transaction of the caller's. */
export interface Caller {
  /** @param answers - Whether the statement answers with rows. */
  run(text: string, values: readonly CallerValue[], answers: boolean): Promise<CallerAnswer>;
}

/** A library whose transactions can be joined. */
export interface CallerKind {
  /** As people call it. */
  readonly name: string;
  /** Whether the object is of this library, in a transaction or not. */
  is(tx: object): boolean;
  /** Whether there is a transaction, so that it is not a connection to anywhere. */
  isOpen(tx: object): boolean;
  caller(tx: object, dialect: Dialect): Caller;
}

/** An object's members, whatever they are. */
export type Members = Readonly<Record<string, unknown>>;

/** Whether each of these members is a function. */
export function has(tx: object, ...names: readonly string[]): boolean {
  return names.every((name) => typeof (tx as Members)[name] === "function");
}

/** What a driver itself answered: `pg`'s result, the rows of `postgres`, or the pair of `mysql2`. */
export function driverAnswer(answer: unknown): CallerAnswer {
  if (!Array.isArray(answer)) {
    const { rows = [], rowCount = 0 } = answer as { rows?: readonly unknown[]; rowCount?: number | null };
    return { rows, affected: rowCount ?? 0 };
  }
  const { count } = answer as { count?: unknown };
  if (typeof count === "number") return { rows: answer, affected: count };
  const [first] = answer as readonly unknown[];
  if (Array.isArray(first)) return { rows: first, affected: first.length };
  const { affectedRows = 0, serverStatus } = (first ?? {}) as { affectedRows?: number; serverStatus?: number };
  const isOpen = serverStatus === undefined ? {} : { isOpen: (serverStatus & IN_TRANSACTION) !== 0 };
  return { rows: [], affected: affectedRows, ...isOpen };
}

/** As the protocol of MySQL has it. */
const IN_TRANSACTION = 1;

/** The server's own error within what a library made of it. */
export function serverError(error: unknown): unknown {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth += 1) {
    if ("severity" in inner || "sqlState" in inner) return inner;
  }
  return error;
}
