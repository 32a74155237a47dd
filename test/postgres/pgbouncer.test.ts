/** Behind PgBouncer in transaction mode the store keeps the contract: it finds that out, says so once, and polls. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import pg from "pg";
import postgresJs from "postgres";
import { type PostgresOptions, postgres } from "../../src/backends/postgres/index.ts";
import { QueueService, task, Worker } from "../../src/index.ts";
import { byAddress, drop, freshNamespace, raw, sweep } from "./bench.ts";
import { type Pooler, pooler, skip } from "./pgbouncer.ts";
import { exerciseThroughPooler } from "./pooled.ts";

/** As Debian ships it, and as people set it up who were refused by it once. */
const strict: Pooler | undefined = skip === false ? await pooler() : undefined;
const lenient: Pooler | undefined =
  skip === false ? await pooler(["ignore_startup_parameters = extra_float_digits,options"]) : undefined;
const through = strict?.address ?? "";
const pool = new pg.Pool({ connectionString: through, max: 4 });
const sql = postgresJs(through === "" ? "postgres://127.0.0.1/none" : through, {
  max: 4,
  prepare: false,
  onnotice: () => {},
});

after(async () => {
  await pool.end();
  await sql.end();
  await sweep();
  await strict?.stop();
  await lenient?.stop();
});

describe("through PgBouncer", { skip }, () => {
  exerciseThroughPooler("connections of our own", 5, () => ({ connectionString: through }));
});

const ways: Readonly<Record<string, () => PostgresOptions>> = {
  "one that refuses settings": () => ({ connectionString: through }),
  "one that drops settings": () => ({ connectionString: lenient?.address ?? "" }),
  "a lent pool": () => ({ pool }),
  "postgres.js": () => ({ sql }),
};

for (const [name, options] of Object.entries(ways)) {
  test(`${name}: it is told once per opening, nobody listens, nothing is prepared`, { skip }, async (t) => {
    const namespace = freshNamespace();
    const store = postgres(options());
    t.after(async () => {
      await store.close();
      await drop(namespace);
    });
    const warned: string[] = [];
    const open = (): Promise<void> => store.open({ namespace, warn: (message) => warned.push(message) });
    const cancel = store.signals?.subscribe(() => {});
    await Promise.all([open(), open()]);
    assert.equal(warned.length, 1);
    assert.match(warned[0] ?? "", /through a pooler: nobody is woken from another process/u);
    for (let n = 0; n < 3; n += 1) await store.tally();
    cancel?.();
    const finding = (await store.diagnose?.())?.find(({ check }) => check === "pooler");
    assert.equal(finding?.level, "warning");
    // Prepared under a name, a statement fails as soon as its session is another's.
    const left = await Promise.all([1, 2, 3].map(() => preparedIn(through)));
    assert.deepEqual(left, [0, 0, 0]);
  });
}

/** How many statements are prepared by us in a session that the pooler gives. */
async function preparedIn(address: string): Promise<number> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    const { rows } = await client.query("select count(*)::integer as n from pg_prepared_statements where name <> ''");
    return (rows[0] as { n: number }).n;
  } finally {
    await client.end();
  }
}

test("postgres.js that prepares is refused: its own commit would be lost", { skip }, async (t) => {
  const preparing = postgresJs(through, { max: 2, onnotice: () => {} });
  t.after(() => preparing.end());
  await assert.rejects(postgres({ sql: preparing }).open({ namespace: freshNamespace() }), {
    code: "CONFIG_INVALID",
    message: /prepare: false/u,
  });
});

test("a server without a pooler is not taken for one", { skip }, async (t) => {
  const namespace = freshNamespace();
  const warned: string[] = [];
  const store = postgres(byAddress.options() as PostgresOptions);
  t.after(async () => {
    await store.close();
    await drop(namespace);
  });
  await store.open({ namespace, warn: (message) => warned.push(message) });
  assert.deepEqual(warned, []);
  assert.equal(
    (await store.diagnose?.())?.find(({ check }) => check === "pooler"),
    undefined,
  );
});

test("a worker behind it finds work and results by polling, and its log says why", { skip }, async (t) => {
  const namespace = freshNamespace();
  const warned: string[] = [];
  const quiet = (): void => {};
  const logger = { debug: quiet, info: quiet, warn: (message: string) => void warned.push(message), error: quiet };
  const double = task(`double.${namespace}`, async (input: number) => input * 2);
  const make = (): Promise<QueueService> =>
    new QueueService({
      queueBackend: postgres({ connectionString: through }),
      namespace,
      logger,
      worker: { pollInterval: "20ms" },
    }).open();
  const [producer, consumer] = [await make(), await make()];
  t.after(async () => {
    await producer.close();
    await consumer.close();
    await drop(namespace);
  });
  const handle = await producer.enqueue(double, 21);
  const worker = await new Worker(consumer).start();
  assert.equal(await handle.result(), 42);
  await worker.stop();
  assert.equal(warned.filter((message) => message.includes("pooler")).length, 2);
  const listeners = await raw("select 1 from pg_stat_activity where query ilike $1", [
    `listen "sidereal:${namespace}"`,
  ]);
  assert.deepEqual(listeners, []);
});
