/** Commands that only look at the store do not open what tasks need; a worker does. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { onStore, project, sidereal } from "./program.ts";

const APP = `
import { defineQueues } from "sidereal";
import { sqlite } from "sidereal/sqlite";
const open = () => { throw new Error("the database of the tasks is away"); };
export default defineQueues({
  queueBackend: sqlite("queue.db"),
  inAppWorker: false,
  dependencies: { provider: { open, acquire: () => ({ values: [], release: () => {} }) } },
});
`;

it("a provider that cannot open keeps a worker from starting, and no operator from looking", async () => {
  const cwd = project({ "app.mjs": APP });
  await onStore(cwd, async () => {});
  const looked = await sidereal(["status", "--json"], { cwd });
  assert.deepEqual([looked.code, looked.stderr], [0, ""]);
  assert.notEqual((await sidereal(["doctor"], { cwd })).stdout.includes("DEPENDENCY_FAILED"), true);
  const worker = await sidereal(["run"], { cwd });
  assert.equal(worker.code, 1);
  assert.match(worker.stderr, /dependencies\.provider\.open\(\) threw/);
  assert.match(worker.stderr, /DEPENDENCY_FAILED/);
});
