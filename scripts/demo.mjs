// `npm run demo`: a Fastify application and its workers as real processes, on SQLite, or on the server of DATABASE_URL.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { servers } from "./demo/own-database.mjs";
import { clear, say } from "./demo/stage.mjs";
import { root, run, tsc } from "./process.mjs";

const USAGE = `Usage: npm run demo -- [--store sqlite|postgres|mysql]

  sqlite          indexes the Markdown of the installed packages, then loses a worker
  postgres, mysql the Fastify example with two standalone workers, on the server that
                  DATABASE_URL names, else on this machine's; in a database of its own,
                  which is removed again

Without --store, DATABASE_URL says which it is; without that, it is sqlite.`;

/** @typedef {"sqlite" | keyof typeof servers} Store */

/** @returns {{ store: Store, address: string | undefined, built: boolean, help: boolean }} */
function wished() {
  const { values } = parseArgs({
    options: { store: { type: "string" }, built: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  const address = process.env.DATABASE_URL || undefined;
  const store = values.store ?? storeOf(address);
  if (store !== "sqlite" && store !== "postgres" && store !== "mysql") {
    throw new Error(`--store is ${JSON.stringify(store)}\n\n${USAGE}`);
  }
  return { store, address, built: values.built === true, help: values.help === true };
}

/** @param {string | undefined} address */
function storeOf(address) {
  if (address === undefined) return "sqlite";
  if (servers.postgres.schemes.test(`${address.split(":", 1)[0]}:`)) return "postgres";
  if (servers.mysql.schemes.test(`${address.split(":", 1)[0]}:`)) return "mysql";
  throw new Error("DATABASE_URL must begin with postgres://, mysql:// or mariadb://");
}

async function build() {
  say("building …");
  const built = await run(process.execPath, [join(root, "scripts", "build.mjs")], { capture: true });
  const compiled = await run(process.execPath, [tsc, "-p", "tsconfig.examples.json"], { capture: true });
  if (built.code !== 0 || compiled.code !== 0) throw new Error(`the build failed:\n${built.output}${compiled.output}`);
}

for (const [signal, code] of /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
])) {
  process.once(signal, () => void clear().finally(() => process.exit(code)));
}

try {
  const began = performance.now();
  const { store, address, built, help } = wished();
  if (help) say(USAGE);
  else {
    if (!built) await build();
    const closing =
      store === "sqlite"
        ? await (await import("./demo/indexer.mjs")).demonstrate()
        : await (await import("./demo/fleet.mjs")).demonstrate(store, address);
    say(`\nThe demo took ${((performance.now() - began) / 1000).toFixed(1)} s. ${closing}`);
  }
} catch (error) {
  say(`\n✗ ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await clear().catch((error) => say(`✗ something was left behind: ${error.message}`));
}
