/** What a network does between a worker and its server, and what a pool does that the user's own code has emptied. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type OwnServer, ownServer } from "./own-server.ts";
import { Relay } from "./relay.ts";
import { Bench, type Lent, RETURN, returns, type Subject, unhandled } from "./subject.ts";

/**
 * The suite of one kind of store.
 * @param stuck - Pools whose library cannot give up a connection that is half open, until the system does.
 */
export function exerciseNetwork(subject: Subject, skip: string | false, stuck: readonly string[] = []): void {
  // Most of the time is spent on waiting for answers that do not come: on each way by itself.
  describe(`${subject.kind}: failures of the way there`, { skip, concurrency: true }, () => {
    let server: OwnServer;
    let settled: () => void;

    before(async () => {
      settled = unhandled();
      server = await ownServer(subject.kind);
      const first = subject.connect(server.address());
      await first.open();
      await first.close();
    });
    after(async () => {
      await server.dispose();
      settled();
    });

    const ways: Readonly<Record<string, (address: string) => Lent>> = {
      "connections of our own": (address) => ({ backend: subject.connect(address), end: async () => {} }),
      ...subject.pools,
    };

    for (const [name, make] of Object.entries(ways)) {
      it(`${name}: reset, half open`, async (t) => {
        const relay = new Relay(server.port);
        const { backend, end } = make(server.address(await relay.listen()));
        const bench = new Bench(backend, name);
        await bench.open();
        await bench.works();
        await t.test("every connection reset: the worker goes on", async () => {
          relay.reset();
          await returns(bench);
        });
        await t.test("half-open connections: given up together, and the worker goes on", async () => {
          // Several calls at once leave several connections behind, idle and soon dead.
          await Promise.all(Array.from({ length: 8 }, () => bench.service.counts()));
          assert.ok(relay.connections >= 2);
          relay.swallow();
          relay.mend();
          if (stuck.includes(name)) {
            const began = performance.now();
            await assert.rejects(bench.service.counts(), { code: "STORE_TIMEOUT" });
            assert.ok(performance.now() - began < RETURN, "the call ends in time");
            relay.forget();
          }
          await returns(bench);
          assert.ok(relay.connections > 0);
        });
        bench.lostNothing();
        await bench.close();
        await end();
        await relay.close();
      });
    }

    for (const [name, make] of Object.entries(subject.pools)) {
      it(`${name}, taken by its user's own code: calls fail in time, and the worker goes on once it is given back`, async () => {
        const { backend, take, end } = make(server.address());
        const bench = new Bench(backend, `taken ${name}`);
        await bench.open();
        await bench.works();
        const taken = await Promise.all([take(), take()]);
        const began = performance.now();
        await assert.rejects(bench.service.counts(), { code: /^STORE_(?:TIMEOUT|UNAVAILABLE)$/ });
        assert.ok(performance.now() - began < RETURN);
        for (const release of taken) release();
        await returns(bench);
        bench.lostNothing();
        await bench.close();
        await end();
      });
    }
  });
}
