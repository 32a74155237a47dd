/** Chaos on PostgreSQL: a server of the test's own that crashes, ends sessions, and is cut off, while processes are killed. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { missing } from "../servers/own-server.ts";
import { met, smokeRun, violations } from "./smoke-run.ts";

it("holds every invariant while processes, sessions, the server and the network fail", {
  skip: missing("postgres"),
}, async () => {
  const result = await smokeRun({
    ...{ store: "postgres", seed: 42, smoke: true, minutes: null, faults: null, tasks: 100, kills: null },
    ...{ workers: 4, concurrency: null, lease: null, planted: null },
  });
  assert.deepEqual(violations(result), []);
  assert.ok(met(result.exposure, "handler"));
  for (const fault of ["a session ended by the server", "the server crashed and was started again"])
    assert.ok((result.exposure.faults[fault] ?? 0) > 0, `no fault was: ${fault}`);
});
