/** Connections that fall silent: the ones beside them are not tried one after the other. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Lines, SILENCE } from "../../src/backends/sql/lines.ts";
import { ManualClock } from "../../src/testing/backend-contract/index.ts";

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
};

it("an idle connection that answered after the silent call was sent is not trusted either", async () => {
  const clock = new ManualClock();
  const [silent, idle, fresh] = [{ name: "silent" }, { name: "idle" }, { name: "fresh" }];
  const free = [silent, idle, fresh];
  const cut: unknown[] = [];
  const lines = new Lines(
    {
      server: "A",
      take: async () => free.shift() as { name: string },
      give: (connection) => void free.unshift(connection),
      cut: (connection) => void cut.push(connection),
      isUsable: () => true,
    },
    clock,
  );
  const given = assert.rejects(
    lines.with(() => new Promise<never>(() => {})),
    { code: "STORE_TIMEOUT" },
  );
  await turns();
  clock.advance(10);
  await lines.with(async (_, heard) => heard());
  clock.advance(SILENCE);
  await given;
  assert.equal(await lines.with(async ({ name }) => name), "fresh");
  assert.deepEqual(cut, [silent, idle]);
});
