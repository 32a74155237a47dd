/** Addresses that no server is asked with: what is wrong is said, and the password is not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { mysql } from "../../src/backends/mysql/index.ts";
import { hasCode } from "../../src/index.ts";

describe("an address of MySQL", () => {
  const cases: readonly (readonly [url: string, says: RegExp])[] = [
    ["", /not an address/],
    ["mysql://127.0.0.1:3306", /not an address/],
    ["http://u:hunter2@h/app", /not an address/],
    ["mysql://u:hunter2#x@127.0.0.1:1/app", /cannot be read; # .* are written %23/],
    ["mysql://u:hunter2/x@127.0.0.1:1/app", /cannot be read/],
    ["mysql://u:hunter2%x@127.0.0.1:1/app", /cannot be read/],
  ];
  for (const [url, says] of cases) {
    it(`${JSON.stringify(url)} is refused at once, without its password`, () => {
      assert.throws(
        () => mysql({ url }),
        (error) => {
          assert.ok(hasCode(error, "CONFIG_INVALID"), inspect(error));
          assert.match(error.message, says);
          assert.doesNotMatch(inspect(error), /hunter2/);
          return true;
        },
      );
    });
  }

  it("may be written mariadb:// too, with a password in percent-encoding", () => {
    assert.equal(mysql("mariadb://u:hun%23ter2@127.0.0.1:1/app").name, "mysql");
  });
});
