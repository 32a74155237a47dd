/** The MySQL store keeps the contract over pools it is lent, whatever their sessions are set to, and leaves them as they were. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import callbacks from "mysql2";
import promises from "mysql2/promise";
import { mysql } from "../../src/backends/mysql/index.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { within } from "../sql/server.ts";
import { ADDRESS, bench, freshNamespace, skip, sweep, type Way } from "./bench.ts";

/** All that a session may be set to and that changes what statements mean; a store that relies on the usual breaks. */
const HOSTILE: readonly string[] = [
  "set session transaction isolation level serializable",
  `set session autocommit = 0, time_zone = '+09:30', character_set_results = latin1,
    sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION,IGNORE_SPACE,ONLY_FULL_GROUP_BY'`,
];

const lent = promises.createPool({ uri: ADDRESS, connectionLimit: 8 });
const hostile = callbacks.createPool({
  uri: ADDRESS,
  connectionLimit: 8,
  charset: "LATIN1_SWEDISH_CI",
  dateStrings: true,
});
hostile.on("connection", (connection) => {
  for (const setting of HOSTILE) connection.query(setting, (error) => assert.equal(error, null));
});

after(async () => {
  await sweep();
  await lent.end();
  await hostile.promise().end();
});

const byPool: Way = {
  options: () => ({ pool: lent }),
  transaction: async (body) => {
    const connection = await lent.getConnection();
    return within(
      (text) => connection.query(text),
      () => body(connection),
      () => connection.release(),
    );
  },
};

/** Transactions at the isolation level `read committed`, as the store's own: `serializable` makes readers wait. */
const byHostilePool: Way = {
  options: () => ({ pool: hostile }),
  transaction: async (body) => {
    const connection = await hostile.promise().getConnection();
    await connection.query("set transaction isolation level read committed");
    return within(
      (text) => connection.query(text),
      () => body(connection.connection),
      () => connection.release(),
    );
  },
};

const capabilities = { signals: true, shared: true, transactions: true, clock: true } as const;

describe("over what it is lent", { skip }, () => {
  exerciseBackend({ name: "a pool", capabilities, make: (clock) => bench(clock, byPool), walkSeeds: 3 });
  exerciseBackend({
    name: "a pool with callbacks, set to be hostile",
    capabilities,
    make: (clock) => bench(clock, byHostilePool),
    walkSeeds: 3,
  });
});

test("a lent pool is left open and as it was", { skip }, async () => {
  const own = promises.createPool({ uri: ADDRESS, connectionLimit: 1 });
  const settings =
    "show session variables where variable_name in ('sql_mode', 'time_zone', 'autocommit', 'tx_isolation', 'transaction_isolation', 'innodb_lock_wait_timeout')";
  const [before] = await own.query(settings);
  const backend = mysql({ pool: own });
  await backend.open({ namespace: freshNamespace() });
  await backend.now();
  await backend.hold("a", "b");
  await backend.close();
  const [left] = await own.query(settings);
  assert.deepEqual(left, before);
  await own.end();
});
