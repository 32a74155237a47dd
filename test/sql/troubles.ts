/** What every store on a server meets in the end: characters that no server takes, and sessions that end under a call. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { cancelled } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, forged, idOf } from "../../src/testing/backend-contract/stage.ts";
import { CLAIM, type SqlServer } from "./server.ts";

const ODD = "nul \u0000, half \ud83d, other half \udcbe, \u001a, \u001a0000, whole 💾";

export function exerciseTroubles({ kind, skip, store, kill }: SqlServer): void {
  describe(`${kind}: troubles`, { skip }, () => {
    it("characters that no server takes come back as they were", async (t) => {
      const { backend } = await store(t);
      const draft = draftOf(idOf(1), { key: ODD, description: ODD, tags: [ODD], metadata: JSON.stringify({ ODD }) });
      const [insertion] = await backend.insert([draft]);
      const record = insertion?.record as TaskRecord;
      assert.deepEqual(await backend.find({ by: "key", key: ODD }), [record]);
      const [taken] = (await backend.claim({ ...CLAIM, workerId: ODD })) as [TaskRecord];
      assert.equal(taken.workerId, ODD);
      const error = { name: ODD, message: ODD, stack: ODD, code: ODD, attempt: 1, at: 1 };
      const over = cancelled(forged(taken, { error }), { now: 1, reason: ODD, by: "force" });
      assert.deepEqual(await backend.apply([{ from: taken, to: over }]), [true]);
      assert.deepEqual(await backend.find({ by: "id", ids: [idOf(1)] }), [over]);
    });

    it("sessions that are killed under load: calls fail with a code of ours, and the next ones work", async (t) => {
      const { backend, namespace } = await store(t);
      let end = (): void => {};
      const killing = kill(namespace, new Promise<void>((resolve) => (end = resolve)));
      const acknowledged = new Set<string>();
      let failed = 0;
      for (let n = 0; n < 200 || failed < 5; n += 1) {
        const draft = draftOf(idOf(n));
        try {
          await backend.insert([draft]);
          acknowledged.add(draft.record.id);
          const claimed = await backend.claim({ ...CLAIM, token: n.toString(16).padStart(32, "0"), limit: 1 });
          await backend.apply(
            claimed.map((from) => ({ from, to: cancelled(from, { now: 1, reason: null, by: "force" }) })),
          );
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "STORE_UNAVAILABLE", inspect(error));
          failed += 1;
        }
      }
      end();
      await killing;
      const [counts] = await backend.tally();
      const stored = (counts?.pending ?? 0) + (counts?.running ?? 0) + (counts?.cancelled ?? 0);
      assert.ok(stored >= acknowledged.size, "nothing that was acknowledged is lost");
      const found = await backend.find({ by: "id", ids: [...acknowledged] });
      assert.equal(found.length, acknowledged.size);
    });
  });
}
