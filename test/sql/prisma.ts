/**
 * A client of Prisma without models: what `prisma generate` (7.10) writes of a schema that has none. Statements of one's own
 * need no more; the generator itself loads an engine from the network, which a test must not.
 */
import { getPrismaClient, type SqlDriverAdapterFactory } from "@prisma/client/runtime/client";

/** What of the generated client is used here; each method as the generator types it. */
export interface PrismaTransactionClient {
  // biome-ignore lint/suspicious/noExplicitAny: as generated
  $queryRawUnsafe<T = unknown>(query: string, ...values: any[]): Promise<T>;
  // biome-ignore lint/suspicious/noExplicitAny: as generated
  $executeRawUnsafe(query: string, ...values: any[]): Promise<number>;
}

export interface PrismaClient extends PrismaTransactionClient {
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
  $transaction<R>(body: (tx: PrismaTransactionClient) => Promise<R>, options?: { timeout?: number }): Promise<R>;
}

/** Modules of the client without types. */
const load = (name: string): Promise<{ readonly wasm: string }> =>
  import(`@prisma/client/runtime/query_compiler_fast_bg.${name}.mjs`);

/** Not among the types of Node. */
const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };

export function prismaClient(provider: "postgresql" | "mysql", adapter: SqlDriverAdapterFactory): PrismaClient {
  const Client = getPrismaClient({
    previewFeatures: [],
    clientVersion: "7.10.1",
    engineVersion: "none",
    activeProvider: provider,
    inlineSchema: `generator client {\n  provider = "prisma-client"\n}\n\ndatasource db {\n  provider = "${provider}"\n}\n`,
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    parameterizationSchema: { strings: [], graph: "AAAA" },
    compilerWasm: {
      getRuntime: () => load(provider),
      getQueryCompilerWasmModule: async () =>
        new WebAssembly.Module(Buffer.from((await load(`${provider}.wasm-base64`)).wasm, "base64")),
      importName: "./query_compiler_fast_bg.js",
    },
  } as never);
  return new (Client as unknown as new (options: object) => PrismaClient)({ adapter });
}
