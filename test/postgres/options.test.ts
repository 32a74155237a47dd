/** Addresses that no server is asked with: what is wrong is said, and the password is not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { postgres } from "../../src/backends/postgres/index.ts";
import { hasCode, QueueService } from "../../src/index.ts";

describe("an address of PostgreSQL", () => {
  for (const connectionString of ["", "db.internal", "postgres:app", "http://u:hunter2@h/app"]) {
    it(`${JSON.stringify(connectionString)} is refused at once`, () => {
      assert.throws(
        () => postgres({ connectionString }),
        (error) => hasCode(error, "CONFIG_INVALID") && !inspect(error).includes("hunter2"),
      );
    });
  }

  for (const address of ["postgres://u:hunter2#x@127.0.0.1:1/app", "postgres://u:hunter2%ff@127.0.0.1:1/app"]) {
    it(`${address} is refused when the store opens, without its password`, async () => {
      const service = new QueueService({ queueBackend: postgres(address) });
      await assert.rejects(service.open(), (error) => {
        assert.ok(hasCode(error, "CONFIG_INVALID"), inspect(error));
        assert.match(error.message, /the address cannot be read; # .* are written %23/);
        assert.doesNotMatch(inspect(error), /hunter2/);
        return true;
      });
    });
  }
});
