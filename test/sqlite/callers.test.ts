/** Enqueueing and completing in the caller's own transaction of SQLite, by the library that this runtime has. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type SqliteTransaction, sqlite } from "../../src/backends/sqlite/index.ts";
import { exerciseLibrary } from "../sql/exercise.ts";
import { connect } from "./bench.ts";

const folder = mkdtempSync(join(tmpdir(), "sidereal-callers-"));
const path = join(folder, "app.db");
const own = connect(path);
own.exec("create table effects (name text)");

after(() => {
  own.close();
  rmSync(folder, { recursive: true, force: true });
});

exerciseLibrary<SqliteTransaction>(
  {
    skip: false,
    namespace: "sidereal",
    store: () => sqlite(path),
    effects: async () =>
      (own.prepare("select name from effects").all() as { readonly name: string }[]).map(({ name }) => name),
  },
  {
    name: "a connection of the runtime's library",
    root: own,
    transaction: async (body) => {
      const connection = connect(path);
      connection.exec("begin immediate");
      try {
        await body(connection, async (name) => connection.prepare("insert into effects values (?)").run(name));
        connection.exec("commit");
      } catch (error) {
        connection.exec("rollback");
        throw error;
      } finally {
        connection.close();
      }
    },
  },
);
