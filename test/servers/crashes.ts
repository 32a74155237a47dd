/** What a server does to those who use it: it crashes, ends sessions, keeps them waiting, and ends what takes too long. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type OwnServer, ownServer } from "./own-server.ts";
import { Bench, returns, type Subject, unhandled } from "./subject.ts";

/** The suite of one kind of store. */
export function exerciseCrashes(subject: Subject, skip: string | false): void {
  describe(`${subject.kind}: failures of the server`, { skip }, () => {
    let server: OwnServer;
    let bench: Bench;
    let settled: () => void;

    before(async () => {
      settled = unhandled();
      server = await ownServer(subject.kind);
      bench = new Bench(subject.connect(server.address()), subject.kind);
      await bench.open();
      await bench.works();
    });
    after(async () => {
      await bench.close();
      await server.dispose();
      settled();
    });

    it("a server that crashes and comes back: what was acknowledged is there, and the worker goes on", async () => {
      await bench.service.queues.pause("default");
      const id = await bench.enqueued(1_000);
      await server.crash();
      await server.start();
      await returns(bench, () => bench.service.queues.resume("default").then(() => bench.works()));
      assert.ok(await bench.service.get(id), "the task that was enqueued before the crash is there");
    });

    it("every session ended by the server: the worker goes on", async () => {
      await subject.endSessions(server.address());
      await returns(bench);
    });

    it("a locked table: calls wait, none is lost, and the worker goes on", async () => {
      const unlock = await subject.lock(server.address());
      const working = bench.works();
      while ((await subject.cancelStatements(server.address())) === 0);
      await unlock();
      await returns(bench, () => working);
    });

    for (const [name, make] of Object.entries(subject.hasty)) {
      it(`statements that the server ends early, by ${name}: typed errors, and the worker goes on`, async () => {
        const { backend, end } = await make(server.address());
        const hasty = new Bench(backend, name);
        await hasty.open();
        await hasty.works();
        const unlock = await subject.lock(server.address());
        const working = hasty.works();
        const met = (): boolean => hasty.complaints.some((line) => line.includes("cannot be asked for work"));
        while (!met() || !hasty.refusals.has("STORE_TIMEOUT")) await new Promise((resolve) => setImmediate(resolve));
        await unlock();
        await returns(hasty, () => working);
        hasty.lostNothing();
        await hasty.close();
        await end();
      });
    }
  });
}
