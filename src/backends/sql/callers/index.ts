/** Which library a caller's transaction is of. Who it is is asked in a fixed order: some look like others. */
import { SiderealError } from "../../../model/errors.ts";
import { type Caller, type Dialect, serverError } from "./caller.ts";
import { type DrizzleTransaction, drizzle } from "./drizzle.ts";
import { type KnexTransaction, knex } from "./knex.ts";
import { type KyselyTransaction, kysely } from "./kysely.ts";
import { type PrismaTransaction, prisma } from "./prisma.ts";

/** A transaction of one of the query builders; structural, so that none of them need be installed. */
export type QueryBuilderTransaction = DrizzleTransaction | KyselyTransaction | KnexTransaction | PrismaTransaction;

const KINDS = [kysely, knex, prisma, drizzle] as const;

/** What runs statements in a query builder's transaction; undefined if it is none of theirs. @throws OPTION_INVALID if none is open */
export function callerOf(tx: unknown, dialect: Dialect, doing: string): Caller | undefined {
  if ((typeof tx !== "object" && typeof tx !== "function") || tx === null) return undefined;
  const kind = KINDS.find((one) => one.is(tx));
  if (kind === undefined) return undefined;
  if (kind.isOpen(tx)) return plain(kind.caller(tx, dialect));
  throw noneOpen(doing, `what was given of ${kind.name} is not in a transaction, or not any more`);
}

/** The same, with the server's errors as they were. */
function plain(caller: Caller): Caller {
  const run: Caller["run"] = async (...statement) => {
    try {
      return await caller.run(...statement);
    } catch (error) {
      throw serverError(error);
    }
  };
  return { run };
}

/** The refusal of something that has no open transaction. */
export function noneOpen(doing: string, why: string): SiderealError {
  return new SiderealError(
    "OPTION_INVALID",
    `Cannot ${doing}: ${why}; begin a transaction, await that, and give what it runs on`,
  );
}

/** The refusal of something that is not known. @param taken - What of the drivers is taken, besides the query builders. */
export function unknownTransaction(tx: unknown, doing: string, taken: string): SiderealError {
  const given =
    tx === null ? "null" : Array.isArray(tx) ? "a list" : typeof tx === "object" ? nameOf(tx) : `a ${typeof tx}`;
  const builders = KINDS.map(({ name }) => name).join(", ");
  return new SiderealError(
    "TRANSACTION_UNSUPPORTED",
    `Cannot ${doing}: ${given} is no transaction that is known. Taken are ${taken}, and transactions of ${builders}`,
  );
}

function nameOf(tx: object): string {
  const { name } = (tx.constructor ?? Object) as { readonly name?: unknown };
  return typeof name === "string" && /^[A-Z]\w{1,60}$/u.test(name) && name !== "Object"
    ? `this ${name}`
    : "this object";
}
