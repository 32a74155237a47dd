/** Interactive transactions of Prisma. */
import { type CallerKind, type Dialect, has } from "./caller.ts";

/** What `prisma.$transaction(async (tx) => …)` gives. */
export interface PrismaTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: as the library has it
  $queryRawUnsafe(query: string, ...values: any[]): PromiseLike<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: as the library has it
  $executeRawUnsafe(query: string, ...values: any[]): PromiseLike<number>;
}

export const prisma: CallerKind = {
  name: "Prisma",
  is: (tx) => has(tx, "$queryRawUnsafe", "$executeRawUnsafe"),
  isOpen: (tx) => !has(tx, "$connect"),
  caller: (tx, dialect) => ({
    run: async (text, values, answers) => {
      const { $queryRawUnsafe, $executeRawUnsafe } = tx as PrismaTransaction;
      try {
        if (!answers) return { rows: [], affected: await $executeRawUnsafe.call(tx, text, ...values) };
        const rows = (await $queryRawUnsafe.call(tx, text, ...values)) as readonly unknown[];
        return { rows, affected: rows.length };
      } catch (error) {
        throw told(error, dialect);
      }
    },
  }),
};

/** What Prisma keeps of the server's error. */
interface Kept {
  readonly meta?: {
    readonly driverAdapterError?: {
      readonly cause?: { readonly originalCode?: string; readonly originalMessage?: string };
    };
  };
}

/** The server's error as a driver has it. */
function told(error: unknown, dialect: Dialect): unknown {
  const { originalCode, originalMessage = "" } = (error as Kept | null)?.meta?.driverAdapterError?.cause ?? {};
  if (originalCode === undefined) return error;
  const marks =
    dialect === "mysql" ? { errno: Number(originalCode), sqlState: "" } : { code: originalCode, severity: "ERROR" };
  return Object.assign(new Error(originalMessage, { cause: error }), marks);
}
